from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ldjcheck.grading.rubric import RubricError, read_rubric

if TYPE_CHECKING:
    from pathlib import Path

LAYER = '[[layer]]\nexpr = "Scale(dims=4)"\nshape = [4]\n'


def rubric(folder: Path, text: str):
    path = folder / "rubric.toml"
    path.write_text(text)
    return read_rubric(path)


def test_a_layer_and_its_shape_are_enough(tmp_path: Path) -> None:
    read = rubric(tmp_path, LAYER)
    (exercise,) = read.exercises
    assert (exercise.name, exercise.root, exercise.shape) == (
        "Scale(dims=4)", "Scale", (4,)
    )  # fmt: skip
    assert read.points == 1
    assert exercise.cost("LDJ104", "error") == 1
    assert exercise.cost("LDJ205", "note") == 0


def test_costs_of_a_layer_come_before_those_of_all(tmp_path: Path) -> None:
    text = "[costs]\nsign-flipped = 1\nLDJ205 = 0.5\n" + LAYER + "points = 4\n"
    (exercise,) = rubric(tmp_path, text + "[layer.costs]\nsign-flipped = 2\n").exercises
    assert exercise.cost("LDJ104", "error") == 2
    assert exercise.cost("LDJ205", "note") == 0.5
    assert exercise.cost("LDJ101", "error") == 4


def test_the_fingerprint_changes_with_what_decides_and_not_with_what_is_told(
    tmp_path: Path,
) -> None:
    (tmp_path / "s.py").write_text("one")
    before = rubric(tmp_path, 'reference = "s.py"\n' + LAYER).fingerprint
    told = rubric(tmp_path, 'reference = "s.py"\nfeedback = "fix"\n' + LAYER)
    assert told.fingerprint == before
    (tmp_path / "s.py").write_text("other")
    assert rubric(tmp_path, 'reference = "s.py"\n' + LAYER).fingerprint != before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it asks for no layer; write a table for each:"),
        ("[[layer]]\npoints = 1\n", "layer 1 has no expr, such as 'Coupling(dims=4)'."),
        (
            '[[layer]]\nexpr = "Scale"\n',
            "layer 1: give its shape, as in shape = [4], or a reference: no submission "
            "should choose the size at which it is judged.",
        ),
        (
            LAYER + "point = 2\n",
            "layer 1: there is no setting 'point'; did you mean points?",
        ),
        (LAYER + "points = -1\n", "layer 1: points is a number of at least 0."),
        (LAYER + 'domain = "reals"\n', "layer 1: domain is real, unit, positive"),
        (
            LAYER + "[layer.costs]\nsing-flipped = 1\n",
            "there is no mistake 'sing-flipped'",
        ),
        (LAYER + LAYER, "two layers are called 'Scale(dims=4)'; give each a name."),
        ('memory = "lots"\n' + LAYER, "memory is a size, such as '2 GB'."),
        ('feedback = "all"\n' + LAYER, "feedback is one of hint, place, name, fix."),
        ('reference = "gone.py"\n' + LAYER, "gone.py cannot be read: No such file"),
        ("name = \n", "is no TOML"),
    ],
)
def test_a_rubric_that_cannot_be_is_told_why(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(RubricError) as raised:
        rubric(tmp_path, text)
    assert said in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / "rubric.toml"))
