"""Names of notebook cells, which stand where the name of a source file stands.

Each cell is compiled as a file of its own, `flows.ipynb, cell 27`: tracebacks, ledgers and
locations then count lines by cell, as a reader of the notebook does.
"""

from __future__ import annotations

import re
import sys

_CELL = re.compile(r"(?P<notebook>.*\.ipynb), cell (?P<number>\d+)", re.DOTALL)


def cell_file(notebook: str, number: int) -> str:
    """Return the file name of a cell; the first cell of any type is number 1."""
    return f"{notebook}, cell {number}"


def split_cell(file: str) -> tuple[str, int | None]:
    """Return the file that the user has, and the cell if it is a notebook's."""
    match = _CELL.fullmatch(file)
    return (match["notebook"], int(match["number"])) if match else (file, None)


def running_cell(file: str) -> str | None:
    """Return `In [2]` for what IPython compiled from that cell, whatever file it names."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    named = getattr(getattr(shell, "compile", None), "format_code_name", lambda _: None)
    found = named(file)
    return None if found is None else str(found[1]).replace("In[", "In [")
