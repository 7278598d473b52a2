"""Hearing of every call of Python code, beside whoever else does."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Literal

Event = Literal["call", "return", "c_call", "c_return", "c_exception"]


@contextlib.contextmanager
def heard_by(hears: Callable[[FrameType, str, Any], None]) -> Iterator[None]:
    """Let `hears(frame, event, result)` hear of calls until the block is left.

    A profiler that was at work, and is a function, hears of them as well. One written in
    C, such as cProfile's, stands aside, and is enabled anew: Python cannot put it back.
    """
    before: Any = sys.getprofile()
    is_function = callable(before)

    def both(frame: FrameType, event: Event, result: Any) -> None:
        before(frame, event, result)
        hears(frame, event, result)

    sys.setprofile(both if is_function else hears)
    try:
        yield
    finally:
        sys.setprofile(before if is_function else None)
        if hasattr(before, "enable"):
            before.enable()
