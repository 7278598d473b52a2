"""The case of one direction: its traces, the ldj's own arithmetic, and what may be edited.

A target is named by its place in the source, so that it can be found again in every
configuration; one expression that runs several times is one target, and each of its
executions another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ldjcheck.mistakes.engine.closeness import fits
from ldjcheck.mistakes.engine.places import (
    argument_text,
    ldj_statement,
    place_of,
    source_text,
    statement_of,
    uses_towards,
)
from ldjcheck.records import Deadline, Location
from ldjcheck.tape import Edge, Node, Trace, ancestors, evaluate, location_of
from ldjcheck.tape.node import ONES, linear_positions
from ldjcheck.torch_ops import MULTIPLY, plain_name

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
    def first(self) -> Item:
        """The first execution in the first trace that has one."""
        return next(item for items in self.items for item in items)

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
    seconds = {(_step_of(node), _made_as(node.args[1:2])) for node in trace.own}
    for node in trace.own:
        if node.place is not None:
            groups.setdefault(("node", *_step_of(node), node.part), []).append(node)
    for node in trace.own:
        # Of `total + a`, where the total is a plain zero at first, torch has `a + 0`.
        with_number = len(node.args) == 2 and _made_as(node.args[1:]) is None
        is_turned = with_number and (_step_of(node), _made_as(node.args[:1])) in seconds
        for position, used in node.inputs():
            if node.place is None:
                continue
            edge = (node, position)
            if used not in trace.own_set or edge in linear_edges:
                side = int(position == 0) if is_turned else position
                key = ("edge", *_step_of(node), side)
                groups.setdefault(key, []).append(edge)
            if used.name != "number":
                uses.setdefault(used, []).append(edge)
            elif edge not in linear_edges:
                numbers.setdefault(float(used.value), []).append(edge)
    for number, edges in numbers.items():  # one constant, written into several branches
        if len({node.place.span for node, _ in edges if node.place is not None}) > 1:
            groups["edge", _NUMBER, number] = list(edges)
    for used, edges in uses.items():
        node, position = edges[0]
        assert node.place is not None
        is_own = used in trace.own_set  # a loop begins with what comes from outside
        value_key = ("value", node.place.span, node.name, position, len(edges), is_own)
        groups.setdefault(value_key, []).extend(edges)
    return groups


def _step_of(node: Node) -> tuple[Any, str]:
    """Return where a node stands, and its operation: of a loop, `total + a` may be in place."""
    return node.place and node.place.span, plain_name(node.name)


def _made_as(argument: Sequence[Any]) -> tuple[Any, str] | None:
    """Return where an argument is made, and by what; None of a plain number."""
    is_made = (
        argument and isinstance(argument[0], Node) and argument[0].name != "number"
    )
    return _step_of(argument[0]) if is_made else None


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
    parameter or constant, or is used elsewhere too. `leaves` are made by the ldj's own
    arithmetic, by a non-linear operation.
    """

    nodes: tuple[Node, ...]
    edges: frozenset[Edge]
    ends: tuple[Edge, ...]
    leaves: tuple[Node, ...]

    @property
    def all(self) -> tuple[Item, ...]:
        """Every term, once: contributions of these add up to the ldj."""
        return (*self.leaves, *self.ends)


def terms_of(trace: Trace) -> Terms:
    """Return the linear part of the ldj, from the returned value down."""
    if trace.ldj is None:
        return Terms((), frozenset(), (), ())
    plain = _linearly_used(trace)
    nodes: list[Node] = []
    edges: set[Edge] = set()
    ends: list[Edge] = []
    leaves: list[Node] = []
    stack, seen = [trace.ldj], set()
    while stack:
        node = stack.pop()
        if node in seen or node not in trace.own_set:
            continue
        seen.add(node)
        nodes.append(node)
        positions = linear_positions(node)
        leaves += [] if positions else [node]
        for position in positions:
            part = node.argument(position)
            edges.add((node, position))
            if part in plain:
                stack.append(part)
            else:
                ends.append((node, position))
    return Terms(tuple(nodes), frozenset(edges), tuple(ends), tuple(leaves))


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


@dataclass(frozen=True, eq=False)
class Case:
    """The traces of one direction, with what every explanation needs to know of them."""

    traces: tuple[Trace, ...]
    terms: tuple[Terms, ...]
    agree: tuple[bool, ...]
    finite: bool
    deadline: Deadline | None = None

    @property
    def differences(self) -> list[Tensor]:
        """Exact - reported, `(batch,)`, per trace."""
        return [trace.exact - trace.reported for trace in self.traces]

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """What may be edited, in all traces where the numbers disagree."""
        edges = [terms.edges for terms in self.terms]
        return tuple(find_targets(self.traces, edges, self.agree))


def make_case(traces: Sequence[Trace], deadline: Deadline | None = None) -> Case:
    """Return the case of these traces, which is to be explained before a deadline."""
    return Case(
        traces=tuple(traces),
        terms=tuple(terms_of(trace) for trace in traces),
        agree=tuple(fits(trace, trace.reported, trace.exact) for trace in traces),
        finite=all(bool(torch.isfinite(trace.reported).all()) for trace in traces),
        deadline=deadline,
    )


def roundabout(trace: Trace, target: Target) -> int:
    """Return 0 for a use of a value from outside, 1 for a term, 2 for a sum of them."""
    first = target.first
    node = value_node(first)
    if not isinstance(first, Node) and node not in trace.own_set:
        return 2 if node.name == "incoming" else 0
    bare = isinstance(first, Node) and node.name in ONES  # its use says more
    return 2 if bare or linear_positions(node) else 1


def target_node(case: Case, target: Target | None) -> Node | None:
    """Return the value of a target in the first trace; None means the whole ldj."""
    return case.traces[0].ldj if target is None else value_node(target.first)


def target_location(case: Case, target: Target | None) -> Location | None:
    """Return the statement to point at for a target; None means the whole ldj."""
    trace = case.traces[0]
    if target is None:
        return location_of(ldj_statement(trace))
    first = target.first
    used = value_node(first)
    if used in trace.own_set:
        place = statement_of(trace, used)
        if place is not None:
            return location_of(place)
    return location_of(place_of(trace, user_node(first)))


def operand(target: Target | None) -> str | None:
    """Return how the source writes a target, where it can be told."""
    if target is None:
        return None
    first = target.first
    if isinstance(first, Node):
        return source_text(first.place)
    node, position = first
    if node.name in MULTIPLY and value_node(first).name in ONES:
        position = 1 - int(position == 1)  # c * ones: the constant is the term
    return argument_text(node, position) or source_text(value_node(first).place)


def has_mean(trace: Trace, target: Target) -> bool:
    """Return whether a target is averaged in so many words, by itself or on its way out."""
    node = value_node(target.first)
    if any(user.name == "mean" for user, _ in uses_towards(trace, node)):
        return True
    means = [each for each in trace.own if each.name == "mean"]
    return node in means or node in trace.own_from(means)
