"""Names of notebook cells, which stand where the name of a source file stands.

Each cell is compiled as a file of its own, `flows.ipynb, cell 27`: tracebacks, ledgers and
locations then count lines by cell, as a reader of the notebook does.
"""

from __future__ import annotations

import re

_CELL = re.compile(r"(?P<notebook>.*\.ipynb), cell (?P<number>\d+)", re.DOTALL)


def cell_file(notebook: str, number: int) -> str:
    """Return the file name of a cell; the first cell of any type is number 1."""
    return f"{notebook}, cell {number}"


def split_cell(file: str) -> tuple[str, int | None]:
    """Return the file that the user has, and the cell if it is a notebook's."""
    match = _CELL.fullmatch(file)
    return (match["notebook"], int(match["number"])) if match else (file, None)
