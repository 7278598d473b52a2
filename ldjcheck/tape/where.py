"""Where in the user's source something stands."""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import textwrap
from types import CodeType
from typing import Any

from ldjcheck.cells import running_cell, split_cell
from ldjcheck.records import Location
from ldjcheck.tape.node import Place


def location_of(place: Place | None) -> Location | None:
    """Return a place as the report shows it, with the source line's text."""
    if place is None:
        return None
    return _located(place.file, place.line, place.function, place.column + 1)


def _located(path: str, line: int, name: str, column: int | None = None) -> Location:
    file, cell = split_cell(path)
    text = linecache.getline(path, line).strip() or None
    return Location(
        file=shown_file(file), cell=cell, line=line, column=column, function=name, text=text
    )  # fmt: skip


def stands_in(location: Location, owner: Any) -> bool:
    """Return whether a place is in a method of an object."""
    return any(
        (code := getattr(method, "__code__", None)) is not None
        and is_in_code(location, code)
        for kind in type(owner).__mro__
        for method in vars(kind).values()
    )


def is_in_code(location: Location, code: CodeType) -> bool:
    """Return whether a place is in a function's code."""
    file, cell = split_cell(code.co_filename)
    if (shown_file(file), cell) != (location.file, location.cell):
        return False
    return has_line(code, location.line)


def has_line(code: CodeType, line: int) -> bool:
    """Return whether a line of its file is one of a function's."""
    lines = [each for *_, each in code.co_lines() if each is not None]
    return min(lines, default=0) <= line <= max(lines, default=-1)


def file_of(owner: Any) -> str:
    """Return the file in which an object's class, or a function, is written."""
    kinds = (owner,) if hasattr(owner, "__code__") else type(owner).__mro__
    for kind in kinds:
        for method in (kind, *vars(kind).values()):
            code = getattr(inspect.unwrap(method), "__code__", None)
            if code is not None:
                return str(code.co_filename)
    return ""


def returned_at(function: Any) -> Location | None:
    """Return where a function returns, the last of such places; None without a source."""
    code = getattr(function, "__code__", None)
    try:
        lines, start = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return None
    found = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Return)]
    if code is None or not found:
        return None
    return _located(code.co_filename, start + max(found) - 1, code.co_name)


def shown_file(path: str) -> str:
    """Return a file as a reader in the current folder would type it."""
    here = os.getcwd() + os.sep
    return running_cell(path) or path.removeprefix(here)
