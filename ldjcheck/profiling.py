"""Hearing of every call of Python code, while another profiler stands aside."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextlib.contextmanager
def heard_by(event: Callable[[FrameType, str, Any], None]) -> Iterator[None]:
    """Let `event(frame, event, result)` hear of calls until the block is left.

    The profiler that was at work goes on afterwards. One written in C, such as cProfile's,
    is no function that Python could put back: it is enabled anew.
    """
    before: Any = sys.getprofile()
    sys.setprofile(event)
    try:
        yield
    finally:
        is_function = before is None or callable(before)
        sys.setprofile(before if is_function else None)
        if not is_function and hasattr(before, "enable"):
            before.enable()
