"""Hearing where a map's numbers pass through what it holds: calls that hand on a batch.

What autograd recorded between the tensor that enters such a call and the one that leaves
it is a part of the map, at the very point at which the map runs it. Nothing is called
again, and nothing that is called is trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from ldjcheck.running.observers.method_calls import MethodCalls


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


class Passages(MethodCalls["tuple[Tensor, Point]", Passage]):
    """Hears the calls of users' methods that take a tensor, and hand one on."""

    most = 1000  # none of more calls is a part
    arguments = 2

    def _entered(self, frame: FrameType) -> tuple[Tensor, Point] | None:
        names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        owner, *given = (frame.f_locals.get(name) for name in names)
        x = next((each for each in given if isinstance(each, Tensor)), None)
        if isinstance(owner, (Tensor, type, type(None))) or x is None or not x.dim():
            return None
        return x, point_of(x)

    def _left(
        self, entered: tuple[Tensor, Point], result: Any, begin: int, end: int
    ) -> Passage | None:
        _, at = entered
        several = isinstance(result, (tuple, list)) and len(result) > 0
        y = result[0] if several else result
        if not isinstance(y, Tensor) or not y.dim() or len(y) != len(at.tensor):
            return None
        if y.numel() != at.tensor.numel():
            return None
        reports = several and len(result) > 1
        return Passage(
            entered=at, left=point_of(y), reports=reports, begin=begin, end=end
        )


def point_of(x: Tensor) -> Point:
    """Return where a tensor is now: what is written into it later is another point."""
    edge = torch.autograd.graph.get_gradient_edge(x) if x.requires_grad else None
    return Point(tensor=x.clone(), edge=edge)
