"""One recorded call, taken apart: steps of the map, arithmetic of the ldj, sublayers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import CodeType
from typing import Any

import torch
from torch import Tensor

from ldjcheck.records import Direction, Probe, Shape
from ldjcheck.records.called import Sublayer
from ldjcheck.tape.node import (
    Node,
    Place,
    ancestors,
    in_order,
    linear_positions,
    users_among,
)
from ldjcheck.tape.replay import Edge, evaluate
from ldjcheck.torch_ops import LOGARITHMS


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step of the map, from one whole intermediate value to the next.

    `logdet` is the step's own log|det|, `(batch,)` in nats; `idle` marks the dims that it
    hands on unchanged, `(dims,)`. `blur` says by how much its input may move unseen, in
    units of the machine epsilon, `(batch,)`: a sigmoid that saturates forgets its input.
    """

    end: Node
    logdet: Tensor
    idle: Tensor
    blur: Tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """What one call computed, at one configuration.

    `points` are the whole intermediate values that everything flows through, from the
    input to the output; `steps` lie between them. `own` are the operations that serve the
    ldj and not the output: the ldj's own arithmetic.
    """

    probe: Probe
    direction: Direction
    batch: int
    dims: int
    shape: Shape
    source: Node
    output: Node | None
    ldj: Node | None
    nodes: tuple[Node, ...]
    order: tuple[Node, ...]
    depending: frozenset[Node]
    points: tuple[Node, ...]
    steps: tuple[Step, ...]
    own: tuple[Node, ...]
    reported: Tensor
    exact: Tensor
    jacobian: Tensor | None
    shares: Tensor | None  # of the dims in `exact`, where the Jacobian is triangular
    sign: int
    slack: float  # nats by which constants made in float32 leave the numbers open
    tolerance: Tensor  # relative, by sample: well below the mistake that is looked for
    promised: Shape | None
    known_right: tuple[CodeType, ...] = ()  # of the layer's code: no mistake is there
    mapped: tuple[tuple[Place, ...], ...] = ()  # what transforms of `torch.func` ran

    @cached_property
    def own_set(self) -> frozenset[Node]:
        """The same in no order."""
        return frozenset(self.own)

    @cached_property
    def own_users(self) -> Mapping[Node, tuple[Node, ...]]:
        """Those of `own` that use a value, by the value."""
        return users_among(self.own)

    @cached_property
    def spans_of_map(self) -> frozenset[object]:
        """The source ranges that the map runs: it is what they compute, right or wrong."""
        of_map = (node for node in self.order if node not in self.own_set)
        return frozenset(place.span for node in of_map for place in node.places)

    @cached_property
    def makers(self) -> frozenset[int]:
        """The calls in which a term is made, or a step of the map is run."""
        steps = (step.end.place for step in self.steps)
        calls = {place.call for place in steps if place is not None}
        for node in self.own:
            outside = any(used not in self.own_set for _, used in node.inputs())
            if node.place and (outside or not linear_positions(node)):
                calls.add(node.place.call)
        return frozenset(calls)

    @cached_property
    def logged(self) -> frozenset[Node]:
        """What a logarithm of the ldj's own arithmetic is taken of, however it is made."""
        ends = (n for n in self.own if n.name.removesuffix("_") in LOGARITHMS)
        return frozenset(ancestors(*ends))

    @property
    def is_density(self) -> bool:
        """Whether the ldj counts the density of a draw: that is then the first step."""
        return bool(self.steps) and self.steps[0].end.random

    def step_sum(self, first: int = 0, last: int | None = None) -> Tensor:
        """Return the sum of steps' log|det|, `(batch,)`: the exact ldj if all is seen."""
        total = torch.zeros(self.batch, dtype=torch.float64)
        for step in self.steps[first:last]:
            total = total + step.logdet
        return total

    def per_sample(self, ldj: Tensor) -> Tensor:
        """Return an ldj in the layer's own form as `(batch,)`, in the call's own sign.

        Raises:
            ValueError: its shape says nothing about samples.
        """
        value = self.sign * ldj.detach().double()
        if self.promised is not None and value.dim() <= len(self.promised):
            return value.expand(self.promised).reshape(self.batch, -1).sum(1)
        if value.numel() == 1:
            return value.reshape(()).expand(self.batch).clone()
        if value.shape[0] == self.batch:
            return value.reshape(self.batch, -1).sum(1)
        if value.shape == (1, self.batch):
            return value[0].clone()
        if self.ldj is not None and value.shape == self.ldj.value.shape:
            return value.sum().expand(self.batch).clone()  # of one event, for all
        raise ValueError(f"an ldj of shape {tuple(ldj.shape)} for {self.batch} samples")

    def own_from(self, values: Iterable[Node], more: Iterable[Node] = ()) -> list[Node]:
        """Return the ldj's arithmetic that other values reach, and `more`, in order.

        The values' own nodes are not among it.
        """
        start = set(values)
        found = {node for node in more if node in self.own_set} - start
        waiting = [*start, *found]
        while waiting:
            for user in self.own_users.get(waiting.pop(), ()):
                if user not in found and user not in start:
                    found.add(user)
                    waiting.append(user)
        return in_order(found)

    def replayed(
        self,
        nodes: Mapping[Node, Tensor] | None = None,
        edges: Mapping[Edge, Any] | None = None,
    ) -> Tensor:
        """Return the reported ldj, `(batch,)`, with values or uses of values replaced.

        Only the ldj's own arithmetic is run again; the map stays as it was.
        """
        values: dict[Node, Tensor] = dict(nodes or {})
        edges = edges or {}
        if self.ldj in values:
            return self.per_sample(values[self.ldj])
        for node in self.own_from(values, {node for node, _ in edges}):
            values[node] = evaluate(node, lambda n: values.get(n, n.value), edges)
        if self.ldj is None or self.ldj not in values:
            return self.reported
        return self.per_sample(values[self.ldj])


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
class Part(Sublayer):
    """One sublayer at one point of a flow; all numbers are `(batch,)`, in nats.

    `exact` is log|det| of the sublayer's own map at the input that it gets in the flow,
    `claimed` the ldj that it reports there, and `counted` what the flow's ldj would be
    without, subtracted from what it is. `outer` is the position of the part around it.
    """

    owner: Any
    direction: Direction
    exact: Tensor
    claimed: Tensor
    counted: Tensor
    outer: int | None
    caller: Place | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FlowParts:
    """A flow at one configuration: its two numbers, `(batch,)`, and its sublayers."""

    reported: Tensor
    exact: Tensor
    parts: tuple[Part, ...]
