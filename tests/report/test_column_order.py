"""Exact stands before reported on every face, in rows, in sentences and in bars."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from grading.test_forms import ALL, ONE, SHOWN, marked
from report_runs import FAIL, FAILED, run, samples

from ldjcheck.classroom.quiz import Question, hints
from ldjcheck.grading.feedback import feedback, overview
from ldjcheck.grading.records import Sample
from ldjcheck.records import Result, Run
from ldjcheck.records.result import Dimension, SublayerLine
from ldjcheck.report import Report, Style, failure, html, text

EXACT, REPORTED = -1.25, -3.5
_LINES = [
    dataclasses.replace(
        each, exact=EXACT, reported=REPORTED, exact_total=EXACT, reported_total=REPORTED
    )
    for each in FAIL.ledger
]
_CHECK = dataclasses.replace(
    FAILED,
    samples=samples((REPORTED, EXACT)),
    dimensions=(Dimension(index=0, exact=EXACT, reported=REPORTED),),
)
_PART = SublayerLine(
    direction="forward", sublayer="layers[1]", type="Scale", exact=EXACT,
    reported=REPORTED, is_wrong=True,
)  # fmt: skip
RESULT = dataclasses.replace(
    FAIL, checks=(_CHECK,), ledger=tuple(_LINES), sublayers=(_PART,)
)


def terminal(run: Run) -> str:
    return text.render(run, Style(color=False, verbosity=0))


def verbose(run: Run) -> str:
    return text.render(run, Style(color=False, verbosity=1))


def page(run: Run) -> str:
    return _rows(html.render(run, Style(color=False, verbosity=0)))


def notebook(run: Run) -> str:
    return _rows(html.fragment(run))


def _rows(markup: str) -> str:
    plain = re.sub(r"<svg.*?</svg>", "", markup, flags=re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", " ", plain.replace("</tr>", "\n")))


def of_a_test(run: Run) -> str:
    return failure.render(run)


def students(run: Run) -> str:
    sample = Sample(direction="forward", reported=REPORTED, exact=EXACT, allowed=0.0)
    shown = dataclasses.replace(SHOWN, sample=sample)
    (grade,) = overview([marked("anna", shown)], ONE, ALL).grades.grades
    return feedback(grade, "fix")


def quiz(run: Run) -> str:
    sample = "forward", EXACT, REPORTED
    return "\n".join(hints(Question(text="", right="", is_wrong=True, code="LDJ105",
                                    shape=(2,), sample=sample)))  # fmt: skip


def bars(run: Run) -> str:
    (axes, *_) = [a for a in Report(run).plot().axes if a.get_legend() is not None]
    heights = [patch.get_height() for patch in axes.patches]
    return " ".join(f"{height:+.4f}" for height in heights)


FACES = [terminal, verbose, page, notebook, of_a_test, students, quiz, bars]


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
@pytest.mark.parametrize("result", [RESULT, dataclasses.replace(RESULT, ledger=())])
def test_exact_stands_first(face: Callable[[Run], str], result: Result) -> None:
    rows = [
        re.findall(r"-1\.25|-3\.50?", row) for row in face(run(result)).splitlines()
    ]
    both = [row for row in rows if len(set(row)) > 1]
    assert both
    assert all(row[0] == "-1.25" for row in both), both


def test_the_pages_on_json_name_exact_first() -> None:
    path = Path(__file__).parents[2] / "docs" / "result.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    shown = [[*each.get("properties", ())] for each in schema["$defs"].values()]
    both = [keys for keys in shown if {"exact", "reported"} <= {*keys}]
    assert len(both) >= 4
    assert all(keys.index("exact") < keys.index("reported") for keys in both)
