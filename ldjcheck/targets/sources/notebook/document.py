"""A notebook's cells, read from its file; formats 3 and 4."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ldjcheck.cells import cell_file
from ldjcheck.targets.sources.notebook.magics import without_magics


class NotANotebookError(Exception):
    """The file holds no Python notebook; the text says what it is instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A code cell, or a whole script.

    `number` counts all cells, text cells too, from 1; a script has none.
    """

    number: int | None
    file: str  # the name that it is compiled under
    text: str  # Python: without magics
    fault: SyntaxError | None = None  # why it is no Python


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement at the left margin of a cell or script."""

    cell: Cell
    node: ast.stmt

    @property
    def place(self) -> str:
        """The place in words: `cell 27, line 3`, or `line 3` of a script."""
        line = f"line {self.node.lineno}"
        number = self.cell.number
        return line if number is None else f"cell {number}, {line}"


def read_cells(path: Path) -> tuple[Cell, ...]:
    """Return the code cells of the notebook, in their order.

    Raises:
        NotANotebookError: The file is no notebook, or one of another language.
    """
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
        entries = list(_entries(content))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotANotebookError("it holds no notebook's JSON") from None
    language = _language(content)
    if language is not None and "python" not in language.lower():
        raise NotANotebookError(f"its language is {language}, not Python")
    cells = (
        _cell(number, str(path), text)
        for number, text in enumerate(entries, 1)
        if text is not None
    )
    return tuple(cell for cell in cells if cell is not None)


def statements_of(cells: tuple[Cell, ...]) -> tuple[Statement, ...]:
    """Return all statements from top to bottom, those of broken cells left out."""
    return tuple(
        Statement(cell=cell, node=node)
        for cell in cells
        if cell.fault is None
        for node in ast.parse(cell.text).body
    )


def _entries(content: Any) -> Iterator[str | None]:
    """Yield each cell's text, None for cells that hold no code."""
    sheets = [content] if "cells" in content else content["worksheets"]
    for sheet in sheets:
        for cell in sheet["cells"]:
            text = cell.get("source", cell.get("input", ""))
            whole = text if isinstance(text, str) else "".join(text)
            yield whole if cell.get("cell_type") == "code" else None


def _language(content: Any) -> str | None:
    metadata = content.get("metadata", {})
    for part, key in (("kernelspec", "language"), ("language_info", "name")):
        value = metadata.get(part, {}).get(key)
        if isinstance(value, str):
            return value
    return None


def _cell(number: int, path: str, text: str) -> Cell | None:
    python = without_magics(text)
    if python is None:
        return None
    file = cell_file(path, number)
    try:
        compile(python, file, "exec", ast.PyCF_ONLY_AST)
    except SyntaxError as error:
        return Cell(number=number, file=file, text=python, fault=error)
    except ValueError:  # a null byte
        return None
    return Cell(number=number, file=file, text=python)
