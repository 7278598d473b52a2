"""The case of one direction: its traces, and what every explanation asks of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ldjcheck.mistakes.engine.arithmetic import (
    Target,
    Terms,
    find_targets,
    terms_of,
    user_node,
    value_node,
)
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
from ldjcheck.tape import Node, Trace, location_of
from ldjcheck.tape.linear import ONES, linear_positions
from ldjcheck.torch_ops import MULTIPLY


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
    assert first is not None
    node = value_node(first)
    if not isinstance(first, Node) and node not in trace.own_set:
        return 2 if node.name == "incoming" else 0
    bare = isinstance(first, Node) and node.name in ONES  # its use says more
    return 2 if bare or linear_positions(node) else 1


def target_node(case: Case, target: Target | None) -> Node | None:
    """Return the value of a target in the first trace; None means the whole ldj."""
    if target is None:
        return case.traces[0].ldj
    return None if target.first is None else value_node(target.first)


def target_location(case: Case, target: Target | None) -> Location | None:
    """Return the statement to point at for a target; None means the whole ldj."""
    trace = case.traces[0]
    if target is None:
        return location_of(ldj_statement(trace))
    first = target.first
    assert first is not None
    used = value_node(first)
    if used in trace.own_set:
        place = statement_of(trace, used)
        if place is not None:
            return location_of(place)
    return location_of(place_of(trace, user_node(first)))


def operand(target: Target | None) -> str | None:
    """Return how the source writes a target, where it can be told."""
    if target is None or target.first is None:
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
    first = target.first
    if first is None:
        return False
    uses = uses_towards(trace, value_node(first))
    if any(user.name == "mean" for user, _ in uses):
        return True
    stack, seen = [value_node(first)], set()
    while stack:
        node = stack.pop()
        if node in seen or node not in trace.own_set:
            continue
        seen.add(node)
        if node.name == "mean":
            return True
        stack.extend(node.parents)
    return False
