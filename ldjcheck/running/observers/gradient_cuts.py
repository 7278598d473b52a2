"""Where a call keeps derivatives from passing: `detach`, `no_grad`, plain numbers.

Values are not touched by any of these, so the place is found by letting derivatives pass
at one statement at a time and looking at the gradient again.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor

from ldjcheck.tape import Place
from ldjcheck.tape.frames import is_users, place_of
from ldjcheck.torch_ops import COPIES, NUMBERS
from ldjcheck.tracebacks import is_ours, nearest_own
from ldjcheck.tracing import Args, Named, Operation, Operations


class Cuts(Operations):
    """Notes the statements of one call that cut derivatives, and sees through some.

    Args:
        through: the statements that derivatives pass; None: all of them.

    After the call `passable` holds the statements that can be seen through, with the word
    that cuts, and `numbers` those that turn a tensor with a derivative into plain numbers.
    """

    def __init__(self, through: frozenset[Place] | None = frozenset()) -> None:
        super().__init__()
        self._through = through
        self.passable: dict[Place, str] = {}
        self.numbers: dict[Place, str] = {}

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        """Run the operation, unless it is a cut that is to be seen through."""
        if name == "_set_grad_enabled" and not args[0]:
            return func(self._sees(sys._getframe(2), "no_grad"))
        detaches = name in ("detach", "detach_")
        if detaches or (name == "__get__" and _owner(func) == "data"):
            word = "detach" if detaches else ".data"
            if args[0].requires_grad and self._sees(sys._getframe(2), word):
                return args[0].view_as(args[0])
        if func is torch.autograd.grad and not named.get("create_graph"):
            named["create_graph"] = self._sees(sys._getframe(2), "create_graph")
        if name in NUMBERS and args[0].requires_grad:
            self._note(sys._getframe(2), name.strip("_"))
        copied = args[-1] if name in COPIES and args else None
        if isinstance(copied, Tensor) and copied.requires_grad:
            self._note(sys._getframe(2), name)
        return func(*args, **named)

    def _sees(self, frame: FrameType | None, word: str) -> bool:
        place = _place(frame)
        if place is None:
            return self._through is None
        self.passable.setdefault(place, word)
        return self._through is None or place in self._through

    def _note(self, frame: FrameType | None, word: str) -> None:
        place = _place(frame)
        if place is not None:
            self.numbers.setdefault(place, word)


def place_of_code(code: CodeType, *, decorators: bool = True) -> Place:
    """Return where a function is defined: its first decorator's line, or its own."""
    line = code.co_firstlineno
    if not decorators:
        lines = linecache.getlines(code.co_filename)[line - 1 :]
        below = (i for i, text in enumerate(lines) if text.lstrip().startswith("def "))
        line += next(below, 0)
    return Place(
        file=code.co_filename, line=line, end_line=line, column=0, end_column=0,
        function=code.co_name, call=0,
    )  # fmt: skip


def _place(frame: FrameType | None) -> Place | None:
    """Return the innermost statement of the target's own, or what a decorator wraps there."""
    found: list[Place] = []
    while frame is not None:
        code = frame.f_code
        if code.co_name == "decorate_context" and "func" in frame.f_locals:
            wrapped = getattr(frame.f_locals["func"], "__code__", None)
            if wrapped is not None and is_users(wrapped.co_filename):
                found.append(place_of_code(wrapped))
        if is_users(code.co_filename):
            found.append(place_of(frame))
        if is_ours(code.co_filename) and code.co_name == "run":
            break  # where we call the layer
        frame = frame.f_back
    return found[nearest_own(tuple(p.file for p in found))] if found else None


def _owner(func: Callable[..., Any]) -> str:
    return getattr(getattr(func, "__self__", None), "__name__", "")
