"""The terms of an ldj: the linear part of its own arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ldjcheck.tape import Edge, Node, Trace
from ldjcheck.tape.linear import linear_positions
from ldjcheck.torch_ops import FACTORIES, LINEAR


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Where the ldj is a sum: the nodes it runs through, and the uses where terms end.

    `edges` are all linear uses; `ends` those whose value belongs to the map, is a
    parameter or constant, or is used elsewhere too.
    """

    nodes: tuple[Node, ...]
    edges: frozenset[Edge]
    ends: tuple[Edge, ...]

    @property
    def leaves(self) -> list[Node]:
        """The terms that the ldj's own arithmetic makes by a non-linear operation."""
        return [node for node in self.nodes if not linear_positions(node)]

    @property
    def all(self) -> tuple[Node | Edge, ...]:
        """Every term, once: contributions of these add up to the ldj."""
        return (*self.leaves, *self.ends)


def terms_of(trace: Trace) -> Terms:
    """Return the linear part of the ldj, from the returned value down."""
    if trace.ldj is None:
        return Terms((), frozenset(), ())
    plain = _linearly_used(trace)
    nodes: list[Node] = []
    edges: set[Edge] = set()
    ends: list[Edge] = []
    stack, seen = [trace.ldj], set()
    while stack:
        node = stack.pop()
        if node in seen or node not in trace.own_set:
            continue
        seen.add(node)
        nodes.append(node)
        for position in linear_positions(node):
            part = node.argument(position)
            edges.add((node, position))
            if part in plain:
                stack.append(part)
            else:
                ends.append((node, position))
    return Terms(tuple(nodes), frozenset(edges), tuple(ends))


def contribution(trace: Trace, target: Node | Edge) -> Tensor:
    """Return what a term adds to the ldj, `(batch,)`: r - r without it."""
    if isinstance(target, Node):
        without = trace.replayed({target: torch.zeros_like(target.value)})
    else:
        node, position = target
        zero = torch.zeros_like(node.argument(position).value)
        without = trace.replayed(None, {target: zero})
    return trace.reported - without


def terms_add_up(trace: Trace, terms: Terms, tolerance: float) -> bool:
    """Return whether the terms' contributions sum to the reported ldj."""
    if trace.ldj is None or trace.ldj not in trace.own_set:
        return True
    total = torch.zeros(trace.batch, dtype=torch.float64)
    for target in terms.all:
        total = total + contribution(trace, target)
    gap = (total - trace.reported).abs()
    return bool((gap <= tolerance * (1 + trace.reported.abs())).all())


def same_terms_chain(trace: Trace, node: Node) -> Iterator[Node]:
    """Yield the node and, inwards, those that hold the very same terms."""
    while True:
        yield node
        parts = [node.argument(position) for position in linear_positions(node)]
        parts = [part for part in parts if not _is_nothing(part)]
        if len(parts) != 1:
            return
        part = parts[0]
        if part not in trace.own_set and part.name not in FACTORIES:
            return
        node = part


def _is_nothing(node: Node) -> bool:
    """Return whether a part is the incoming total or zero: it holds no term."""
    while node.name in LINEAR and node.args and isinstance(node.args[0], Node):
        if not node.value.any():
            return True
        node = node.args[0]
    return node.name == "incoming" or not bool(node.value.any())


def _linearly_used(trace: Trace) -> set[Node]:
    """Return the own nodes all of whose uses are linear ones on the way to the ldj."""
    users: dict[Node, list[Node]] = {}
    for node in trace.own:
        for parent in set(node.parents):
            users.setdefault(parent, []).append(node)
    good: set[Node] = set()
    for node in reversed(trace.own):
        if node is trace.ldj:
            good.add(node)
            continue
        if users.get(node) and all(
            user in good and _uses(user, node) == _linear_uses(user, node)
            for user in users[node]
        ):
            good.add(node)
    return good


def _uses(user: Node, node: Node) -> int:
    return sum(parent is node for parent in user.parents)


def _linear_uses(user: Node, node: Node) -> int:
    return sum(user.argument(p) is node for p in linear_positions(user))
