"""The terms of an ldj: the linear part of its own arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.tape import Edge, Node, Position, Trace
from ldjcheck.tape.families import (
    ADD,
    DIVIDE,
    FACTORIES,
    JOIN,
    LINEAR,
    MULTIPLY,
    PRODUCTS,
    SPLIT,
    SUBTRACT,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ONES = frozenset({"ones", "new_ones", "ones_like"})


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


def linear_positions(node: Node) -> list[Position]:
    """Return the arguments in which the node is linear, the others held fixed."""
    name, args = node.name, node.args
    if name in ADD | SUBTRACT:
        return [i for i in (0, 1) if i < len(args) and isinstance(args[i], Node)]
    if name in MULTIPLY or name in PRODUCTS:
        return _factor(node, (0, 1))
    if name == "einsum":
        return _factor(node, tuple(range(1, len(args))))
    if name in DIVIDE:
        above, below = args[0], args[1] if len(args) > 1 else None
        if isinstance(above, Node) and (not isinstance(below, Node) or is_fixed(below)):
            return [0]
        return []
    if name in LINEAR or name in SPLIT:
        return [0] if args and isinstance(args[0], Node) else []
    if name in JOIN:
        parts = args[0] if args else node.kwargs.get("tensors", ())
        return [(0, j) for j, part in enumerate(parts) if isinstance(part, Node)]
    if name == "where" and len(args) == 3:
        chosen = args[0]  # `x.where(c, other)` has it behind
        first = 1 if chosen.value.dtype == torch.bool else 0
        return [i for i in (first, 2) if isinstance(args[i], Node)]
    if name == "__setitem__":
        return [i for i in (0, 2) if isinstance(args[i], Node)]
    if name == "scatter" and len(args) == 2:
        return [0, 1]
    return []


def _factor(node: Node, positions: tuple[int, ...]) -> list[Position]:
    """Return the one factor that carries the data; two that do are no linear use."""
    args = node.args
    found = [i for i in positions if i < len(args) and isinstance(args[i], Node)]
    if len(found) < 2:
        return list(found)
    varying = [i for i in found if not is_fixed(args[i])]
    if varying:
        return [varying[0]] if len(varying) == 1 else []
    if len(found) > 2:
        return [found[0]]
    first, second = args[found[0]], args[found[1]]
    smaller = first.value.numel() <= second.value.numel()
    return [found[0 if smaller and first.name not in ONES else 1]]


def is_fixed(node: Node) -> bool:
    """Return whether a value depends on no input, noise or parameter."""
    stack, seen = [node], set()
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        if current.name in ("input", "incoming") or current.random or current.learnable:
            return False
        stack.extend(current.parents)
    return True


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
