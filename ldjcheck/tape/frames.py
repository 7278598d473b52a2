"""Which statement of the user's is running now."""

from __future__ import annotations

import functools
import os
import sys
from types import CodeType, FrameType

import torch

from ldjcheck.tape.node import Place
from ldjcheck.tracebacks import is_ours, nearest_own

_TORCH = os.path.dirname(os.path.abspath(torch.__file__)) + os.sep
_TORCH_LAYERS = os.path.join(_TORCH, "distributions") + os.sep

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CALLS_LAYERS = os.path.join(_PACKAGE, "running", "runner.py")


@functools.lru_cache(maxsize=1024)
def is_users(filename: str) -> bool:
    """Return whether a file is neither ours nor torch's machinery.

    The transforms that torch ships are layers like the user's own.
    """
    if is_ours(filename) or filename.startswith("<frozen"):
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
