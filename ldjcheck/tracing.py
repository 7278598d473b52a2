"""Hearing of what runs: every call of Python code, and every operation of torch.

What watches a layer derives from these two, or is called by them, and knows no other way.
"""

import contextlib
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, Literal

from torch.overrides import TorchFunctionMode

from ldjcheck.torch_ops import heard_as

Event = Literal["call", "return", "c_call", "c_return", "c_exception"]
Operation = Callable[..., Any]
Args = tuple[Any, ...]
Named = dict[str, Any]


@contextlib.contextmanager
def trace_calls(hears: Callable[[FrameType, str, Any], None]) -> Iterator[None]:
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


class Operations(TorchFunctionMode):
    """Stands between a layer and torch until its block is left."""

    @abstractmethod
    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        """Return what an operation of this name comes to; `func` runs it as it is."""

    def __torch_function__(
        self,
        func: Operation,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run one operation; what hears of calls is told of none in here: they are ours."""
        named = dict(kwargs) if kwargs else {}
        name, hears = heard_as(getattr(func, "__name__", "")), sys.getprofile()
        if not callable(hears):  # nobody, or a profiler written in C
            return self.operate(name, func, args, named)
        sys.setprofile(None)
        try:
            return self.operate(name, func, args, named)
        finally:
            sys.setprofile(hears)


class Names(Operations):
    """Hears which operations run."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: set[str] = set()

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        """Run it as it is."""
        self.heard.add(name)
        return func(*args, **named)
