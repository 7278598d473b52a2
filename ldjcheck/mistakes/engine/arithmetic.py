"""The ldj's own arithmetic: its terms, what in it may be edited, and running it again.

A target is named by its place in the source, so that it can be found again in every
configuration; one expression that runs several times is one target, and each of its
executions another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ldjcheck.tape import Edge, Node, Trace, ancestors, evaluate
from ldjcheck.tape.linear import linear_positions
from ldjcheck.torch_ops import FACTORIES, LINEAR

_NUMBER = "number"
# Executions that may be called from as many places. What runs more often is in a loop,
# as of a solver, in which each is as right or wrong as the others.
_APART = 32

Item = Node | Edge
Edit = Callable[[Trace, Item], Tensor | None]
"""Returns the new value of a target, or None when the edit does not apply there."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The same thing in every trace: `items[i]` are its executions in trace i.

    `kind` is `node` (an operation), `edge` (one use of a value, or one number wherever it
    is used) or `value` (all uses of a value that comes from outside). `single` marks one
    execution of several.
    """

    kind: str
    items: tuple[tuple[Item, ...], ...]
    single: bool = False

    @property
    def first(self) -> Item | None:
        """The first execution in the first trace."""
        return next((item for items in self.items for item in items), None)

    @property
    def size(self) -> int:
        """How many executions there are in the first trace."""
        return len(self.items[0])


def value_node(item: Item) -> Node:
    """Return the node whose value is meant: the node itself, or the one that is used."""
    if isinstance(item, Node):
        return item
    used: Node = item[0].argument(item[1])
    return used


def user_node(item: Item) -> Node:
    """Return the node that stands where the target is: itself, or the user of the value."""
    return item if isinstance(item, Node) else item[0]


def find_targets(
    traces: Sequence[Trace],
    linear_edges: Sequence[frozenset[Edge]],
    agree: Sequence[bool],
) -> list[Target]:
    """Return everything that may be edited in all traces where the numbers disagree."""
    groups = [
        _groups(trace, edges) for trace, edges in zip(traces, linear_edges, strict=True)
    ]
    keys = dict.fromkeys(key for group in groups for key in group)
    found = []
    for key in keys:
        items = tuple(tuple(group.get(key, ())) for group in groups)
        if any(not item and not good for item, good in zip(items, agree, strict=True)):
            continue
        found.append(Target(key[0], items))
        counts = {len(item) for item in items}
        if len(counts) == 1 and 1 < max(counts) <= _APART and key[1] != _NUMBER:
            found.extend(
                Target(key[0], tuple((item[j],) for item in items), single=True)
                for j in range(counts.pop())
            )
    return found


def _groups(
    trace: Trace, linear_edges: frozenset[Edge]
) -> dict[tuple[Any, ...], list[Item]]:
    groups: dict[tuple[Any, ...], list[Item]] = {}
    uses: dict[Node, list[Edge]] = {}
    numbers: dict[float, list[Edge]] = {}
    for node in trace.own:
        if node.place is not None:
            key = ("node", node.place.span, node.name, node.part)
            groups.setdefault(key, []).append(node)
    for node in trace.own:
        for position, used in node.inputs():
            if node.place is None:
                continue
            edge = (node, position)
            if used not in trace.own_set or edge in linear_edges:
                groups.setdefault(
                    ("edge", node.place.span, node.name, position), []
                ).append(edge)
            if used.name != "number":
                uses.setdefault(used, []).append(edge)
            elif edge not in linear_edges:
                numbers.setdefault(float(used.value), []).append(edge)
    for number, edges in numbers.items():  # one constant, written into several branches
        if len({node.place.span for node, _ in edges if node.place is not None}) > 1:
            groups["edge", _NUMBER, number] = list(edges)
    for edges in uses.values():
        node, position = edges[0]
        assert node.place is not None
        value_key = ("value", node.place.span, node.name, position, len(edges))
        groups.setdefault(value_key, []).extend(edges)
    return groups


def edited(trace: Trace, items: Sequence[Item], edit: Edit) -> Tensor | None:
    """Return the ldj, `(batch,)`, with every item edited; None when that fails.

    Several executions of one operation are edited one after the other, each on the value
    that it has by then.
    """
    try:
        if len(items) > 1 and all(isinstance(item, Node) for item in items):
            return _in_turn(trace, [i for i in items if isinstance(i, Node)], edit)
        nodes: dict[Node, Tensor] = {}
        edges: dict[Edge, Any] = {}
        for item in items:
            value = edit(trace, item)
            if value is None:
                return None
            if isinstance(item, Node):
                nodes[item] = value
            else:
                edges[item] = value
        return trace.replayed(nodes, edges)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, KeyError):
        return None  # an edit that does not fit this operation is no explanation


def _in_turn(trace: Trace, nodes: Sequence[Node], edit: Edit) -> Tensor | None:
    values: dict[Node, Tensor] = {}
    chosen = set(nodes)

    def now(node: Node) -> Tensor:
        return values.get(node, node.value)

    for node in trace.own_from((), chosen):
        touched = any(parent in values for parent in node.parents)
        if node in chosen:
            current = evaluate(node, now) if touched else node.value
            value = edit(trace, _as_it_is(node, current, now))
            if value is None:
                return None
            values[node] = value
        elif touched:
            values[node] = evaluate(node, now)
    if trace.ldj is None or trace.ldj not in values:
        return trace.reported
    return trace.per_sample(values[trace.ldj])


def _as_it_is(node: Node, value: Tensor, now: Callable[[Node], Tensor]) -> Node:
    """Return a stand-in for a node with the values that it and its arguments now have."""
    args = tuple(
        Node(a.name, now(a), a.index, a.function, a.args, a.kwargs, a.places)
        if isinstance(a, Node)
        else a
        for a in node.args
    )
    return Node(
        node.name, value, node.index, node.function, args, node.kwargs, node.places,
        node.in_place, node.part,
    )  # fmt: skip


def without(trace: Trace, items: Sequence[Item]) -> Tensor | None:
    """Return the ldj, `(batch,)`, with the items' values set to zero."""
    return edited(
        trace, items, lambda _, item: torch.zeros_like(value_node(item).value)
    )


def is_nested(items: Sequence[Item]) -> bool:
    """Return whether a later execution builds on an earlier one: a running total."""
    if len(items) < 2 or not all(isinstance(item, Node) for item in items):
        return False
    return items[0] in ancestors(user_node(items[-1]))


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
    def all(self) -> tuple[Item, ...]:
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


def contribution(trace: Trace, target: Item) -> Tensor:
    """Return what a term adds to the ldj, `(batch,)`: r - r without it."""
    zero = torch.zeros_like(value_node(target).value)
    return trace.reported - replayed_with(trace, target, zero)


def replayed_with(trace: Trace, target: Item, value: Tensor) -> Tensor:
    """Return the ldj, `(batch,)`, with another value of a node, or in one use of it."""
    if isinstance(target, Node):
        return trace.replayed({target: value})
    return trace.replayed(None, {target: value})


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
            user in good
            and [user.argument(p) for p in linear_positions(user)].count(node)
            == [*user.parents].count(node)
            for user in users[node]
        ):
            good.add(node)
    return good
