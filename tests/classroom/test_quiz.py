"""Questions that are what they are drawn to be, and answers that are run."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from ldjcheck.classroom.lessons import TOPICS, codes_about
from ldjcheck.classroom.quiz import (
    NoSheetError,
    Question,
    differing,
    examine,
    hints,
    on_edit,
    on_line,
    on_verdict,
    write_sheet,
)
from ldjcheck.classroom.quiz_drawing import draw
from ldjcheck.cli import main

if TYPE_CHECKING:
    from pathlib import Path

RIGHT = """import torch


class Layer(torch.nn.Module):
    def forward(self, x):
        y = torch.sinh(x)
        return y, torch.log(torch.cosh(x)).sum(1)
"""
WRONG = RIGHT.replace("torch.log(torch.cosh(x))", "torch.cosh(x)")
QUESTION = Question(
    text=WRONG,
    right=RIGHT,
    is_wrong=True,
    code="LDJ108",
    shape=(3,),
    message="`torch.cosh(x)` is added without its logarithm.",
    lines=frozenset({7}),
    functions=("forward",),
    sample=("forward", 1.0, 4.0),
)
SOUND = Question(text=RIGHT, right=RIGHT, is_wrong=False, code="LDJ108", shape=(3,))


def typed(*words: str, question: Question = QUESTION, monkeypatch: Any) -> str:
    monkeypatch.setattr(
        "ldjcheck.classroom.quiz_drawing.draw", lambda *_: iter([question])
    )
    result = CliRunner().invoke(
        main, ["quiz", "--seed", "7", "--count", "1"], input="\n".join(words) + "\n"
    )
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= 80
    return result.output


# --- drawing --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_draws_the_same(seed: int) -> None:
    drawn = list(draw(None, seed, 3))
    assert drawn == list(draw(None, seed, 3))
    assert len({question.text for question in drawn}) == 3


SEEDS = (pytest.param(None, n, 3, marks=pytest.mark.slow) for n in range(6))


@pytest.mark.slow
@pytest.mark.parametrize(("topic", "seed", "count"), [("often", 3, 1), *SEEDS])
def test_what_is_drawn_is_what_it_is_said_to_be(
    topic: str | None, seed: int, count: int
) -> None:
    for question in draw(topic, seed, count):
        status = examine(question.text, question.shape, question.options).status
        assert status == ("fail" if question.is_wrong else "pass")
        assert (
            examine(question.right, question.shape, question.options).status == "pass"
        )
        assert question.code in codes_about(topic)
        assert bool(question.edits) == question.is_wrong
        assert all(line <= len(question.text.splitlines()) for line in question.lines)


@pytest.mark.parametrize(
    ("word", "title"),
    [
        ("signs", "Signs and logarithms"),
        ("logarithm", "Signs and logarithms"),
        ("way back", "The way back"),
        ("likelihood", "Likelihoods"),
        ("promise", "What a layer promises"),
    ],
)
def test_a_topic_is_found_by_a_word_of_its_title(word: str, title: str) -> None:
    topic = next(topic for topic in TOPICS if topic.title == title)
    assert codes_about(word) == tuple(lesson.code for lesson in topic.lessons)


def test_a_topic_may_be_one_mistake() -> None:
    assert codes_about("mean-not-sum") == codes_about("LDJ105") == ("LDJ105",)


def test_a_topic_that_does_not_exist_lists_those_that_do() -> None:
    result = CliRunner().invoke(main, ["quiz", "cooking"])
    assert result.exit_code == 2
    for topic in TOPICS:
        assert topic.title in result.output


# --- answers --------------------------------------------------------------------------


def test_a_verdict_is_right_or_wrong() -> None:
    assert on_verdict(QUESTION, "w").is_right
    assert not on_verdict(QUESTION, "right").is_right
    assert on_verdict(SOUND, "r").said == "Yes, it is right."


def test_a_line_is_where_the_mistake_stands() -> None:
    assert on_line(QUESTION, 7).is_right
    assert on_line(QUESTION, 6).said == "Not there: look at line 7."


@pytest.mark.thinned(6)
@pytest.mark.parametrize(
    ("line", "text", "said"),
    [
        (7, "return y, torch.log(torch.cosh(x)).sum(1)", "Run, and right"),
        (7, "return y, torch.cosh(x).log().sum(-1)  # mine", "Run, and right"),
        (7, "return y, -torch.cosh(x).sum(1)", "Run, and not right yet"),
        (7, "return x, torch.zeros(len(x))", "Run, and not right yet"),
        (7, "return y, torch.log(", "That is no Python"),
        (7, "return y, nothing", "nothing"),
    ],
)
def test_an_edit_is_run(line: int, text: str, said: str) -> None:
    answer = on_edit(QUESTION, line, text)
    assert said in answer.said
    assert answer.is_right == (said == "Run, and right")


def test_an_edit_that_changes_the_map_is_another_layer() -> None:
    scale = Question(
        text=RIGHT.replace("torch.sinh(x)", "3 * x"),
        right=RIGHT.replace("torch.sinh(x)", "3 * x").replace(
            "torch.log(torch.cosh(x)).sum(1)", "x.new_full((len(x),), 3.2958368660043)"
        ),
        is_wrong=True,
        code="LDJ108",
        shape=(3,),
    )
    assert (
        "another map" in on_edit(scale, 6, "y = torch.sinh(x)").said
    )  # the ldj of which is what stands there


def test_hints_lead_on_step_by_step() -> None:
    told = hints(QUESTION)
    assert told[0].endswith("or its logarithm?")
    assert told[1] == (
        "For one input, forward, the Jacobian gives +1.0000 and the layer says +4.0000."
    )
    assert told[2] == "Look at `forward`."
    assert "LDJ108" not in "".join(told)


def test_what_differs_is_known_by_line() -> None:
    assert differing(WRONG, RIGHT) == {7}
    assert differing(RIGHT, RIGHT) == frozenset()
    assert differing(RIGHT.replace("        y = torch.sinh(x)\n", ""), RIGHT) == {5, 6}


# --- on the screen --------------------------------------------------------------------


def test_a_game_is_played_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    text = typed(
        "h", "w", "7", "return y, torch.log(torch.cosh(x)).sum(1)",
        monkeypatch=monkeypatch,
    )  # fmt: skip
    assert "  7         return y, torch.cosh(x).sum(1)" in text
    for said in (
        "or its logarithm?",
        "Yes, it is wrong.",
        "Yes, line 7.",
        "Run, and right: every sample agrees.",
        "LDJ108 missing-log. `torch.cosh(x)` is added without its logarithm.",
        "+ return y, torch.log(torch.cosh(x)).sum(1)",
        "See it happen: ldjcheck demo missing-log",
        "You found 3 of 3. Once more: ldjcheck quiz --seed 7",
    ):
        assert " ".join(said.split()) in " ".join(text.split())


def test_one_can_stop_or_see_the_answer_at_any_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "You found 0 of 0." in typed("q", monkeypatch=monkeypatch)
    assert "You found 0 of 1." in typed("s", monkeypatch=monkeypatch)
    assert "You found 1 of 1." in typed("w", monkeypatch=monkeypatch)
    sound = typed("r", question=SOUND, monkeypatch=monkeypatch)
    assert "It is right. A slip that would fit in here: missing-log." in sound


# --- sheets ---------------------------------------------------------------------------


def test_a_sheet_has_its_key_apart(tmp_path: Path) -> None:
    path = tmp_path / "sheet.md"
    key = write_sheet([QUESTION, SOUND], path, seed=7, topic="signs")
    assert key == tmp_path / "sheet-key.md"
    sheet, answers = path.read_text(), key.read_text()
    assert sheet.startswith("# Quiz 7: signs\n")
    assert WRONG.rstrip() in sheet
    assert "One sample has the shape (3,)." in sheet
    for answer in ("missing-log", "LDJ", "wrong\n", ".log("):
        assert answer not in sheet.replace(RIGHT.rstrip(), "").replace(
            WRONG.rstrip(), ""
        )
    assert sheet.count("```python\n# your answer") == 2
    asked_for = re.sub(r"<details>.*?</details>", "", sheet, flags=re.DOTALL)
    for hint in (*hints(QUESTION), *hints(SOUND)):
        assert hint in sheet
        assert hint not in asked_for
    assert "## Layer 1: wrong" in answers
    assert "## Layer 2: right" in answers
    assert "+         return y, torch.log(torch.cosh(x)).sum(1)" in answers


def test_a_notebook_of_a_quiz_can_be_run(tmp_path: Path) -> None:
    write_sheet([QUESTION], tmp_path / "sheet.ipynb", seed=7, topic=None)
    for name in ("sheet.ipynb", "sheet-key.ipynb"):
        document = json.loads((tmp_path / name).read_text())
        assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
        ids = [cell["id"] for cell in document["cells"]]
        assert len(set(ids)) == len(ids)
    code = [
        "".join(cell["source"])
        for cell in json.loads((tmp_path / "sheet.ipynb").read_text())["cells"]
        if cell["cell_type"] == "code"
    ]
    exec(compile("\n".join(code), "sheet", "exec"), {})


def test_a_form_that_does_not_exist_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(NoSheetError, match=r"\.md, \.ipynb, \.pdf; sheet\.txt is none"):
        write_sheet([SOUND], tmp_path / "sheet.txt", seed=1, topic=None)


def test_a_pdf_is_made_by_pandoc_or_said_to_need_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(NoSheetError, match="no pandoc here"):
        write_sheet([SOUND], tmp_path / "sheet.pdf", seed=1, topic=None)
    assert list(tmp_path.iterdir()) == []
