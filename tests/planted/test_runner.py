"""The field test scores answers as its page says; no layer is checked here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from torch.distributions import transforms

from ldjcheck.records import Edit as LayerEdit

pytest.importorskip("nflows")
pytest.importorskip("normflows")
pytest.importorskip("FrEIA")
pytest.importorskip("zuko")

from .cases import case_by_id
from .checking import Answer, score
from .edits import Edit
from .fixing import (
    FixScore,
    fix_figures,
    fix_report,
    largest_difference,
    written,
)
from .planted import Planted
from .runner import _false_alarms, _goals_met, _misses, _report

PLANTED = Planted(
    id="torch-tanh:forward:drop-factor:733:0000",
    case_id="torch-tanh",
    library="torch",
    direction="forward",
    mistake="drop-factor",
    expected=("wrong-multiple",),
    module="torch.distributions.transforms",
    function=("TanhTransform", "log_abs_det_jacobian"),
    edits=(),
    lines=frozenset({("torch/distributions/transforms.py", 733)}),
    chain=frozenset({("torch/distributions/transforms.py", n) for n in (733, 740)}),
)
RIGHT = Answer(
    status="fail",
    name="wrong-multiple",
    place=("torch/distributions/transforms.py", 733),
)


def test_the_accepted_name_at_the_edited_line_is_named_and_exact():
    scored = score(PLANTED, RIGHT)
    assert scored.verdict == "named"
    assert scored.exact_line
    assert scored.chain_line


def test_a_line_of_the_same_terms_is_on_the_chain_but_not_exact():
    answer = replace(RIGHT, place=("torch/distributions/transforms.py", 740))
    scored = score(PLANTED, answer)
    assert not scored.exact_line
    assert scored.chain_line


def test_the_same_line_of_another_file_is_neither():
    scored = score(PLANTED, replace(RIGHT, place=("zuko/transforms.py", 733)))
    assert not scored.exact_line
    assert not scored.chain_line


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (replace(RIGHT, name="missing-term"), "wrong"),
        (replace(RIGHT, name="missing-term", also_fits=("wrong-multiple",)), "tie"),
        (replace(RIGHT, name="wrong-derivative"), "refused"),
        (replace(RIGHT, name="unexplained-mismatch"), "refused"),
        (Answer(status="pass"), "missed"),
        (Answer(status="unproven", name="vacuous-check"), "missed"),
        (Answer(status="error", name="layer-raised"), "missed"),
        (Answer(status="crash"), "missed"),
    ],
)
def test_every_other_answer_has_its_verdict(answer, verdict):
    assert score(PLANTED, answer).verdict == verdict


def test_a_slip_that_has_no_name_counts_apart():
    nameless = replace(PLANTED, expected=("wrong-derivative",))
    scores = [score(PLANTED, RIGHT), score(nameless, replace(RIGHT, name="x"))]
    assert not nameless.has_name
    assert scores[1].verdict == "wrong"
    assert not _goals_met(scores)
    assert "no name: 1, of which detected 1, left without a name 0" in " ".join(
        _report(scores).split()
    )


def test_all_goals_are_met_by_right_answers_only():
    good = [score(PLANTED, RIGHT)] * 100
    assert _goals_met(good)
    assert not _goals_met([*good, score(PLANTED, Answer(status="pass"))])
    wrong = [score(PLANTED, replace(RIGHT, name="extra-term"))] * 3
    assert not _goals_met(good + wrong)


def test_a_miss_is_shown_with_what_was_expected_and_said():
    shown = _misses([score(PLANTED, replace(RIGHT, name="extra-term"))])
    assert "WRONG torch-tanh" in shown
    assert "expected wrong-multiple" in shown
    assert "extra-term" in shown


def test_a_failing_right_layer_is_a_false_alarm():
    from .planted import RightConfiguration

    one = RightConfiguration(case_id="torch-tanh", shape=(5,), seed=0)
    text = _false_alarms([one, one], [Answer(status="pass"), RIGHT])
    assert "2 right configurations: 1 fail, 1 pass; false alarms: 1" in text


def test_fixes_count_where_one_expression_mends_and_wrong_ones_everywhere() -> None:
    one = replace(PLANTED, edits=(Edit(733, 0, 733, 3, "x"),))
    lost = replace(PLANTED, edits=(Edit(733, 0, 733, 3, "pass"),))
    scores = [
        FixScore(planted=one, verdict="right"),
        FixScore(planted=one, verdict="none"),
        FixScore(planted=lost, verdict="wrong"),
    ]
    assert fix_figures(scores) == (50.0, 1)
    assert "Verified fixes that leave a difference: 1." in fix_report(scores)


@pytest.mark.slow
def test_a_fix_that_leaves_a_difference_is_seen_by_this_oracle() -> None:
    case = case_by_id("torch-tanh")
    before = "        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))"
    path = transforms.__file__
    line = Path(path).read_text().split("\n").index(before) + 1
    edit = LayerEdit(
        file=path, line=line, before=before, after=before.replace("2.0 *", "2.1 *", 1)
    )
    assert largest_difference(case) < 1e-9
    with written([edit]):
        assert largest_difference(case) > 1e-3
    assert largest_difference(case) < 1e-9
