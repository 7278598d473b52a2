"""Where in the user's source something stands, and which of its statements runs now."""

import ast
import functools
import inspect
import linecache
import os
import sys
import textwrap
from types import CodeType, FrameType
from typing import Any

import torch

from ldjcheck.records import Location
from ldjcheck.tape.node import Place
from ldjcheck.tracebacks import (
    PYTHON,
    is_ours,
    nearest_own,
    package_of,
    running_cell,
    split_cell,
)

_TORCH = os.path.dirname(os.path.abspath(torch.__file__)) + os.sep
_TORCH_LAYERS = os.path.join(_TORCH, "distributions") + os.sep

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CALLS_LAYERS = os.path.join(_PACKAGE, "running", "runner.py")


@functools.lru_cache(maxsize=1024)
def is_users(filename: str) -> bool:
    """Return whether a file is neither ours nor torch's machinery, nor Python's own.

    The transforms that torch ships are layers like the user's own.
    """
    if is_ours(filename) or filename.startswith("<frozen"):
        return False
    if package_of(filename) == PYTHON:
        return False
    return not filename.startswith(_TORCH) or filename.startswith(_TORCH_LAYERS)


def is_torchs(filename: str) -> bool:
    """Return whether a file is torch's, its transforms included."""
    return filename.startswith(_TORCH)


def calls_layers(filename: str) -> bool:
    """Return whether a file is where layers are called: no frame beyond is the layer's."""
    return filename == _CALLS_LAYERS


def place_of(frame: FrameType, call: int = 0) -> Place:
    """Return what a frame is running."""
    line, end_line, column, end_column = _position(frame)
    return Place(
        file=frame.f_code.co_filename,
        line=line,
        end_line=end_line,
        column=column,
        end_column=end_column,
        function=frame.f_code.co_name,
        call=call,
    )


def innermost_place() -> Place | None:
    """Return the statement of the target's own that is running, or None: there is none.

    What called the check is not looked at: it runs nothing of the layer's.
    """
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not calls_layers(frame.f_code.co_filename):
        if is_users(frame.f_code.co_filename):
            frames.append(frame)
        frame = frame.f_back
    if not frames:
        return None
    return place_of(frames[nearest_own(tuple(f.f_code.co_filename for f in frames))])


def is_given_a_number() -> bool:
    """Return whether a function of the target's that runs has a float but 1 as an argument.

    Such as a temperature, which who calls it may choose.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not calls_layers(frame.f_code.co_filename):
        code = frame.f_code
        if is_users(code.co_filename):
            count = code.co_argcount + code.co_kwonlyargcount
            given = (frame.f_locals.get(name) for name in code.co_varnames[:count])
            if any(isinstance(each, float) and each != 1 for each in given):
                return True
        frame = frame.f_back
    return False


def _position(frame: FrameType) -> tuple[int, int, int, int]:
    """Return line, end line, column and end column of what the frame is running."""
    if sys.version_info >= (3, 11):
        found = _positions_of(_Same(frame.f_code))[frame.f_lasti // 2]
        if None not in found:
            return found  # type: ignore[return-value]  # no None is left
        return frame.f_lineno, frame.f_lineno, 0, frame.f_lasti
    from executing import Source

    tracing = sys.gettrace()
    sys.settrace(None)  # whoever watches the layer does not mean these lines
    try:
        node = Source.executing(frame).node
    finally:
        sys.settrace(tracing)
    if node is not None and hasattr(node, "end_col_offset"):
        return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset
    return frame.f_lineno, frame.f_lineno, 0, frame.f_lasti


class _Same:
    """Code that equals no other, however alike: what code is by itself is slow to hash."""

    __slots__ = ("code",)

    def __init__(self, code: CodeType) -> None:
        self.code = code

    def __hash__(self) -> int:
        return id(self.code)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.code is self.code


@functools.lru_cache(maxsize=512)
def _positions_of(same: _Same) -> tuple[tuple[int | None, ...], ...]:
    """Return where each instruction stands; asked at every operation that is watched."""
    return tuple(same.code.co_positions())


# --- where something stands -----------------------------------------------------------


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
