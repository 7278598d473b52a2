"""One question: a layer as a file has it, answers that are run, and a sheet on paper."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ldjcheck.api import check
from ldjcheck.checking import measure_layer
from ldjcheck.classroom.lessons import hint_for
from ldjcheck.classroom.zoo import load
from ldjcheck.errors import CannotCheckError
from ldjcheck.mistakes import rule_for
from ldjcheck.numerics.closeness import same
from ldjcheck.options.keywords import asked
from ldjcheck.records import Layer, Shape
from ldjcheck.report import Report
from ldjcheck.tracebacks import message_of

NAME = "Layer"
FILE = "layer.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A layer, right or wrong.

    `code` is the mistake that is in it, or, of a right layer, the one that it looks like;
    `right` is its text without the mistake, `lines` those that the mistake stands in.
    """

    text: str
    right: str
    is_wrong: bool
    code: str
    shape: Shape
    options: tuple[tuple[str, Any], ...] = ()
    message: str = ""
    lines: frozenset[int] = frozenset()
    functions: tuple[str, ...] = ()
    sample: tuple[str, float, float] | None = None  # direction, exact, reported

    @property
    def name(self) -> str:
        """The name of the mistake."""
        rule = rule_for(self.code)
        return self.code if rule is None else rule.name

    @property
    def edits(self) -> tuple[tuple[str, str], ...]:
        """What makes it right: signs and lines, as a diff has them."""
        before, after = self.text.splitlines(), self.right.splitlines()
        rows: list[tuple[str, str]] = []
        for a, b, c, d in _changes(before, after):
            rows += [("-", line) for line in before[a:b]]
            rows += [("+", line) for line in after[c:d]]
        return tuple(rows)


def differing(text: str, right: str) -> frozenset[int]:
    """Return the lines of a text that another does not have so."""
    lines: set[int] = set()
    for a, b, _, _ in _changes(text.splitlines(), right.splitlines()):
        # what is only missing is missing between two lines
        lines |= set(range(a + 1, b + 1)) or {a, a + 1}
    return frozenset(lines)


def _changes(
    before: list[str], after: list[str]
) -> Iterator[tuple[int, int, int, int]]:
    """Yield from where to where lines differ, in the one text and in the other."""
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    yield from (at for tag, *at in matcher.get_opcodes() if tag != "equal")  # type: ignore[misc]  # four numbers


def examine(text: str, shape: Shape, options: tuple[tuple[str, Any], ...]) -> Report:
    """Return the check of a layer that a text holds, its first weights always the same."""
    torch.manual_seed(0)
    layer = load(text, NAME, FILE)()
    return check(layer, shape=shape, **dict(options))


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether an answer is right, and what to say of it."""

    is_right: bool
    said: str


def on_verdict(question: Question, word: str) -> Answer:
    """Return whether `right` or `wrong` is right."""
    says_wrong = word.lower().startswith("w")
    truth = "wrong" if question.is_wrong else "right"
    if says_wrong == question.is_wrong:
        return Answer(True, f"Yes, it is {truth}.")
    return Answer(False, f"No, it is {truth}.")


def on_line(question: Question, line: int) -> Answer:
    """Return whether the mistake stands in a line."""
    if line in question.lines:
        return Answer(True, f"Yes, line {line}.")
    lines = " or ".join(map(str, sorted(question.lines)))
    return Answer(False, f"Not there: look at line {lines}.")


def on_edit(question: Question, line: int, text: str) -> Answer:
    """Return whether a line, put in the place of another, makes the layer right."""
    rows = question.text.splitlines()
    old = rows[line - 1]
    margin = old[: len(old) - len(old.lstrip())]
    rows[line - 1] = margin + text.strip()
    new = "\n".join(rows) + "\n"
    try:
        report = examine(new, question.shape, question.options)
    except SyntaxError as error:
        return Answer(False, f"That is no Python: {error.msg}.")
    except Exception as error:  # the player's own code
        return Answer(False, f"It raises {type(error).__name__}: {message_of(error)}.")
    if report.status != "pass":
        first = next((f.message for f in report.findings), "it still does not agree.")
        return Answer(False, f"Run, and not right yet: {first}")
    if not _is_same_map(new, question):
        return Answer(
            False, "Run: the ldj is right now, and belongs to another map than before."
        )
    return Answer(True, "Run, and right: every sample agrees.")


def _is_same_map(text: str, question: Question) -> bool:
    ours, theirs = (_output(each, question) for each in (text, question.right))
    if ours is None or theirs is None:
        return True  # nothing to compare
    return same(ours, theirs)


def _output(text: str, question: Question) -> Tensor | None:
    torch.manual_seed(0)
    layer = Layer(target=NAME, name=NAME, obj=load(text, NAME, FILE)())
    options = asked({"shape": question.shape, **dict(question.options)})
    try:
        measured = measure_layer(layer, options).measured
    except CannotCheckError:
        return None
    side = measured[0].forward
    return side.said.y


def hints(question: Question) -> tuple[str, ...]:
    """Return hints, each of which says more than the one before."""
    told = [hint_for(question.code)]
    if question.sample is not None:
        direction, exact, reported = question.sample
        told.append(
            f"For one input, {direction}, the Jacobian gives {exact:+.4f} and the layer "
            f"says {reported:+.4f}."
        )
    where = " and ".join(f"`{name}`" for name in question.functions)
    if where:
        told.append(f"Look at {where}.")
    elif not question.is_wrong:
        told.append("No line needs a change.")
    return tuple(told)


# --- on paper -------------------------------------------------------------------------

SUFFIXES = (".md", ".ipynb", ".pdf")

_ASKED = (
    "1. Is the log-determinant that it reports right or wrong?",
    "2. If it is wrong: in which line?",
    "3. What should stand there?",
)


_ANSWER = "# your answer: right or wrong, the line, and what should stand there"


class NoSheetError(Exception):
    """A sheet that cannot be written; the text says why, and what can."""


def write_sheet(
    questions: Sequence[Question], path: Path, *, seed: int, topic: str | None
) -> Path:
    """Write a sheet, and its key beside it; return where the key is.

    Raises:
        NoSheetError: there is no such form of a sheet, or no program that makes it.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise NoSheetError(
            f"A sheet is written as {', '.join(SUFFIXES)}; {path.name} is none of these."
        )
    key = path.with_name(f"{path.stem}-key{path.suffix}")
    title = f"Quiz {seed}" + (f": {topic}" if topic else "")
    sheets = (path, _sheet(questions, title)), (key, _key(questions, title))
    for place, cells in sheets:
        if suffix == ".ipynb":
            place.write_text(notebook(cells), encoding="utf-8")
        elif suffix == ".md":
            place.write_text(markdown(cells), encoding="utf-8")
        else:  # on paper nothing can be folded away
            told = [cell for cell in cells if "<details>" not in cell[1]]
            _write_pdf(markdown(told), place)
    return key


Cells = list[tuple[str, str]]
"""`markdown` or `code`, and the text."""


def _sheet(questions: Sequence[Question], title: str) -> Cells:
    cells: Cells = [
        (
            "markdown",
            f"# {title}\n\nEach layer maps x to y, and reports log|det dy/dx| of every "
            "sample. Some report it right, some wrong.",
        )
    ]
    for number, question in enumerate(questions, 1):
        about = f"## Layer {number}\n\nOne sample has the shape {question.shape}."
        cells += [
            ("markdown", about),
            ("code", question.text.rstrip()),
            ("markdown", "\n".join(_ASKED)),
            ("code", _ANSWER),
            ("markdown", _hidden(hints(question))),
        ]
    return cells


def _hidden(told: Sequence[str]) -> str:
    """Return hints that are read one by one, each when it is asked for."""
    return "\n\n".join(
        f"<details><summary>Hint {number}</summary>\n\n{hint}\n\n</details>"
        for number, hint in enumerate(told, 1)
    )


def _key(questions: Sequence[Question], title: str) -> Cells:
    cells: Cells = [("markdown", f"# {title}: the key")]
    for number, question in enumerate(questions, 1):
        rule = rule_for(question.code)
        about = question.code if rule is None else f"{rule.code} {rule.name}"
        told = f"## Layer {number}: right\n\nA slip that would fit in here: {about}."
        if question.is_wrong:
            lines = " or ".join(map(str, sorted(question.lines)))
            diff = "\n".join(f"{sign} {line}" for sign, line in question.edits)
            told = (
                f"## Layer {number}: wrong\n\n{about}, line {lines}: {question.message}\n\n"
                f"```diff\n{diff}\n```\n\nThe lesson: `ldjcheck demo {question.name}`"
            )
        cells.append(("markdown", told))
    return cells


def markdown(cells: Cells) -> str:
    """Return cells as one Markdown text."""
    texts = (
        text if kind == "markdown" else f"```python\n{text}\n```"
        for kind, text in cells
    )
    return "\n\n".join(texts) + "\n"


def notebook(cells: Cells) -> str:
    """Return cells as a notebook, of format 4.5."""
    document: dict[str, Any] = {
        "cells": [_cell(number, *each) for number, each in enumerate(cells)],
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    cell = {
        "cell_type": kind,
        "id": f"cell-{number}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _write_pdf(text: str, path: Path) -> None:
    program = shutil.which("pandoc")
    if program is None:
        raise NoSheetError(
            "There is no pandoc here, which makes PDFs; write a sheet as .md or .ipynb."
        )
    done = subprocess.run(
        [program, "--from", "markdown", "--output", str(path)],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise NoSheetError(f"pandoc could not make {path}: {done.stderr.strip()[:300]}")
