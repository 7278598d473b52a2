"""A quiz on paper: a sheet with the layers, and a key of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ldjcheck.classroom.quiz.question import Question, hints
from ldjcheck.mistakes import rule_for

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
