"""Hearing where a map's numbers pass through what it holds: calls that hand on a batch.

What autograd recorded between the tensor that enters such a call and the one that leaves
it is a part of the map, at the very point at which the map runs it. Nothing is called
again, and nothing that is called is trusted.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ldjcheck.profiling import heard_by
from ldjcheck.tape.frames import is_users

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

    from torch.autograd.graph import GradientEdge

_MOST = 1000  # calls; a solver inside a layer makes many more, none of them a part


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Point:
    """A tensor on the way through a map: its numbers, and where autograd has it.

    `tensor` is a copy of its own, which autograd follows; the edge is that of the tensor
    itself, None where nothing was recorded.
    """

    tensor: Tensor
    edge: GradientEdge | None

    @property
    def values(self) -> Tensor:
        """Return the numbers, `(batch, n)`."""
        return self.tensor.detach().double().reshape(len(self.tensor), -1)

    @property
    def size(self) -> int:
        """How many numbers of each sample there are."""
        return self.tensor[0].numel()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Passage:
    """One call that takes a batch, and hands on as many numbers of each sample."""

    entered: Point
    left: Point
    reports: bool  # hands on something beside its output, as an ldj
    begin: int
    end: int

    def holds(self, other: Passage) -> bool:
        """Return whether another call was made on the way of this one."""
        return self.begin < other.begin and other.end < self.end


@dataclass(eq=False)
class Passages:
    """Hears the calls of users' methods, in the order in which they began."""

    _seen: list[Passage] = field(default_factory=list)
    _open: dict[int, tuple[FrameType, int, Tensor, Point]] = field(default_factory=dict)
    _methods: dict[int, bool] = field(default_factory=dict)  # by identity: slow to hash
    _codes: list[CodeType] = field(
        default_factory=list
    )  # ids are unique among the living
    _clock: Iterator[int] = field(default_factory=itertools.count)

    @property
    def seen(self) -> list[Passage]:
        """What was heard."""
        return sorted(self._seen, key=lambda passage: passage.begin)

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listen until the block is left; what was heard before is forgotten."""
        self._seen.clear()
        try:
            with heard_by(self._event):
                yield
        finally:
            self._open.clear()

    def _event(self, frame: FrameType, event: str, result: Any) -> None:
        if event not in ("call", "return") or len(self._seen) > _MOST:
            return
        is_method = self._methods.get(id(frame.f_code))
        if is_method is None:
            is_method = self._is_method(frame.f_code)
        if not is_method:
            return
        with contextlib.suppress(Exception), torch._C.DisableTorchFunction():
            # a strange object of the user's must not end the user's own call
            if event == "call":
                self._enter(frame)
            elif id(frame) in self._open:
                self._leave(frame, result)

    def _is_method(self, code: CodeType) -> bool:
        found = code.co_argcount > 1 and is_users(code.co_filename)
        found = found and not code.co_flags & inspect.CO_GENERATOR
        self._methods[id(code)] = found
        self._codes.append(code)
        return found

    def _enter(self, frame: FrameType) -> None:
        names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        owner, *given = (frame.f_locals.get(name) for name in names)
        x = next((each for each in given if isinstance(each, Tensor)), None)
        if isinstance(owner, (Tensor, type, type(None))) or x is None or not x.dim():
            return
        self._open[id(frame)] = frame, next(self._clock), x, point_of(x)

    def _leave(self, frame: FrameType, result: Any) -> None:
        _, begin, x, entered = self._open.pop(id(frame))
        several = isinstance(result, (tuple, list)) and len(result) > 0
        y = result[0] if several else result
        if not isinstance(y, Tensor) or not y.dim() or len(y) != len(entered.tensor):
            return
        if y.numel() != entered.tensor.numel():
            return
        self._seen.append(
            Passage(
                entered=entered,
                left=point_of(y),
                reports=several and len(result) > 1,
                begin=begin,
                end=next(self._clock),
            )
        )


def point_of(x: Tensor) -> Point:
    """Return where a tensor is now: what is written into it later is another point."""
    edge = torch.autograd.graph.get_gradient_edge(x) if x.requires_grad else None
    return Point(tensor=x.clone(), edge=edge)
