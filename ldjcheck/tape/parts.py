"""A flow taken apart by its sublayers: what each does, says, and is counted as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ldjcheck.records import Direction, Shape
from ldjcheck.tape.node import Node, Place


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Call:
    """One call of a method of an object that a flow holds, as it was seen.

    `begin` and `end` order the calls and nest them. What was no tensor, or is not on the
    tape, is None.
    """

    owner: Any
    x: Node
    y: Node
    ldj: Node | None
    named: dict[str, Node]  # further tensors that were handed in, by parameter
    begin: int
    end: int
    caller: Place | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Part:
    """One sublayer at one point of a flow; all numbers are `(batch,)`, in nats.

    `exact` is log|det| of the sublayer's own map at the input that it gets in the flow,
    `claimed` the ldj that it reports there, and `counted` what the flow's ldj would be
    without, subtracted from what it is. `outer` is the position of the part around it.
    """

    path: str
    kind: str
    owner: Any
    direction: Direction
    exact: Tensor
    claimed: Tensor
    counted: Tensor
    outer: int | None
    caller: Place | None
    shape: Shape = ()  # of one sample, as it comes in
    contexts: tuple[tuple[str, Shape], ...] = ()  # further tensors that it is given

    @property
    def name(self) -> str:
        """The sublayer as a sentence names it: `layers[1]` (Coupling)."""
        path = self.path.removeprefix(".")
        return f"`{path}` ({self.kind})" if path else self.kind


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FlowParts:
    """A flow at one configuration: its two numbers, `(batch,)`, and its sublayers."""

    reported: Tensor
    exact: Tensor
    parts: tuple[Part, ...]
