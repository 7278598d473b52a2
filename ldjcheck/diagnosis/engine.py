"""The engine: which single edit of the ldj's own arithmetic makes every number right.

Edits are substitutions on the tape: the ldj's own arithmetic is run again and must equal
the exact value on every sample of every configuration. Nothing is inverted, and the layer
is not called. What names a mistake is the cheapest edit that works.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.diagnosis.blame import (
    counting_statement,
    factor_statement,
    ldj_statement,
    place_of,
    statement_of,
)
from ldjcheck.diagnosis.edits import ValueEdit, value_edits
from ldjcheck.diagnosis.numbers import (
    fit_multiplier,
    fits,
    is_constant,
    same,
    shape_counts,
)
from ldjcheck.diagnosis.places import (
    argument_text,
    location_of,
    source_text,
)
from ldjcheck.diagnosis.regions import region_explanations
from ldjcheck.diagnosis.steps import step_explanations
from ldjcheck.diagnosis.targets import (
    Target,
    edited,
    find_targets,
    is_nested,
    user_node,
    value_node,
    without,
)
from ldjcheck.diagnosis.terms import (
    Terms,
    contribution,
    linear_positions,
    terms_of,
)
from ldjcheck.diagnosis.whole import whole_laws
from ldjcheck.records import Explanation, Location, Multiplier
from ldjcheck.tape import Node, Trace, ancestors, dependents, in_order
from ldjcheck.tape.families import ADD, LINEAR, SUBTRACT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SINGLE = 0.6  # editing one execution of several is the less likely explanation
_HOPELESS = 4.0
_COUNTS = ("dims", "spatial", "active", "shape")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """The traces of one direction, with what every explanation needs to know of them."""

    traces: tuple[Trace, ...]
    terms: tuple[Terms, ...]
    agree: tuple[bool, ...]
    finite: bool

    @property
    def differences(self) -> list[Tensor]:
        """Exact - reported, `(batch,)`, per trace."""
        return [trace.exact - trace.reported for trace in self.traces]


def make_case(traces: Sequence[Trace]) -> Case:
    """Return the case of these traces."""
    return Case(
        traces=tuple(traces),
        terms=tuple(terms_of(trace) for trace in traces),
        agree=tuple(fits(trace, trace.reported, trace.exact) for trace in traces),
        finite=all(bool(torch.isfinite(trace.reported).all()) for trace in traces),
    )


def explain(case: Case) -> tuple[Explanation, ...]:
    """Return the edits that explain the mistake, the simplest first; none when all agree."""
    if all(case.agree):
        return ()
    found = list(whole_laws(case.traces))
    if any(e.kind == "nothing-reported" for e in found):
        return tuple(found)
    input_nodes = _InputDependence()
    linear_edges = [terms.edges for terms in case.terms]
    targets = find_targets(case.traces, linear_edges, case.agree)
    found.extend(_whole_multiple(case))
    for target in targets:
        linear = _is_linear(case, target)
        explanations = list(_of_target(case, target, linear=linear, inputs=input_nodes))
        extra = _SINGLE * target.single
        found.extend(replace(e, cost=e.cost + extra) for e in explanations)
    found.extend(step_explanations(case.traces, found))
    found.extend(region_explanations(case.traces, targets))
    if any(e.kind in ("region", "other-condition") for e in found):
        # right on a region of inputs: what repairs the rest is no change of point
        found = [e for e in found if e.kind != "other-point"]
    found.sort(key=lambda e: (e.cost, e.size, e.rank))
    return tuple(e for e in found if e.cost < _HOPELESS)


def suspect_of(case: Case) -> Location | None:
    """Return the one statement that holds all terms, when there is just one."""
    trace = case.traces[0]
    lines = {
        (node.place.file, node.place.line): node.place
        for node in trace.own
        if node.place is not None
    }
    return location_of(next(iter(lines.values()))) if len(lines) == 1 else None


class _InputDependence:
    """Which nodes of a trace depend on what the map transforms; found once per trace."""

    def __init__(self) -> None:
        self._known: dict[int, set[Node]] = {}

    def __call__(self, trace: Trace, node: Node) -> bool:
        if id(trace) not in self._known:
            order = in_order(set(trace.nodes))
            self._known[id(trace)] = dependents(order, trace.source)
        return node in self._known[id(trace)]


def _is_linear(case: Case, target: Target) -> bool:
    if target.kind == "value":
        return False
    for items, terms in zip(target.items, case.terms, strict=True):
        nodes = set(terms.nodes)
        for item in items:
            if not (item in nodes if isinstance(item, Node) else item in terms.edges):
                return False
    return True


def _whole_multiple(case: Case) -> Iterator[Explanation]:
    if case.finite:
        yield from _multiples(case, [trace.reported for trace in case.traces], None)


def _of_target(
    case: Case, target: Target, *, linear: bool, inputs: _InputDependence
) -> Iterator[Explanation]:
    if linear and case.finite:
        values = [
            _or_none(trace, without(trace, items))
            for trace, items in zip(case.traces, target.items, strict=True)
        ]
        if any(value is None for value in values):
            return
        amounts = [value for value in values if value is not None]
        yield from _multiples(case, amounts, target)
        yield from _unneeded(case, amounts, target)
        yield from _batch_totals(case, amounts, target)
        yield from _unlogged_constants(case, amounts, target)
        if target.kind == "node" and any(is_nested(items) for items in target.items):
            yield from _each_time(case, target)
    for way in value_edits(
        target,
        case.traces,
        linear=linear,
        finite=case.finite,
        depends_on_input=inputs,
    ):
        if _repairs(case, target, way):
            yield _explained(case, target, way)


def _or_none(trace: Trace, left: Tensor | None) -> Tensor | None:
    return None if left is None else trace.reported - left


def _multiples(
    case: Case, amounts: list[Tensor], target: Target | None
) -> Iterator[Explanation]:
    """Yield the counts by which a term must be multiplied, one number per trace."""
    factors, traces = [], []
    for trace, amount, difference in zip(
        case.traces, amounts, case.differences, strict=True
    ):
        need = amount + difference
        if not bool((amount.abs() > 1e-12).any()):
            if not fits(trace, need, amount):
                return
            continue
        factor = (amount @ need) / (amount @ amount)
        if not fits(trace, factor * amount, need):
            return
        factors.append(float(factor))
        traces.append(trace)
    if not factors:
        return
    constant = is_constant(amounts)
    place = _place_of(case, target)
    constant_factor = factors[0] if max(factors) - min(factors) < 1e-9 else None
    written = _written_factor(case, target, constant_factor)
    mean = target is not None and _has_mean(case.traces[0], target)
    for fit in fit_multiplier(factors, traces, constant=constant)[:3]:
        if written is None and constant and fit.multiplier.family in _COUNTS:
            written = _counted(case, target)
        yield Explanation(
            kind="times",
            cost=fit.cost,
            multiplier=fit.multiplier,
            constant=constant,
            mean_written=mean,
            whole=target is None,
            location=written or place,
            operand=_operand(target),
            size=99 if target is None else target.size,
            rank=0 if target is None else _roundabout(case.traces[0], target),
            ambiguous=len({trace.shape for trace in traces}) < 2,
        )


def _written_factor(
    case: Case, target: Target | None, factor: float | None
) -> Location | None:
    """Return where the source multiplies by the reciprocal of what is needed."""
    trace = case.traces[0]
    node = trace.ldj if target is None else value_node(target.first)  # type: ignore[arg-type]  # a target has items
    if factor is None or node is None or not factor:
        return None
    place = factor_statement(trace, node, round(1.0 / factor, 6))
    return None if place is None else location_of(place)


def _counted(case: Case, target: Target | None) -> Location | None:
    """Return where a constant term is multiplied by its count, or should be."""
    trace = case.traces[0]
    node = trace.ldj if target is None else value_node(target.first)  # type: ignore[arg-type]  # a target has items
    place = None if node is None else counting_statement(trace, node)
    return None if place is None else location_of(place)


def _unneeded(
    case: Case, amounts: list[Tensor], target: Target
) -> Iterator[Explanation]:
    needs = [a + d for a, d in zip(amounts, case.differences, strict=True)]
    if not any(bool((a.abs() > 1e-12).any()) for a in amounts):
        return
    if not all(fits(t, n, 0 * n) for t, n in zip(case.traces, needs, strict=True)):
        return
    first = target.first
    assert first is not None
    used = value_node(first)
    if target.kind != "value" and _has_twin(case, target, amounts):
        yield Explanation(
            kind="twice",
            cost=1.45,
            location=_place_of(case, target),
            operand=_operand(target),
            size=target.size,
            rank=used.index,
        )
        return
    users = [
        user
        for user in case.traces[0].own
        for position in linear_positions(user)
        if user.argument(position) is used
    ]
    sums = ADD | SUBTRACT
    if (
        target.kind == "edge"
        and len(users) > 1
        and all(user.name in sums for user in users)
    ):
        later = max(users, key=lambda node: node.index)
        yield Explanation(
            kind="twice",
            cost=1.45,
            location=location_of(later.place),
            operand=_operand(target),
            size=target.size,
        )
        return
    unsummed = used.value.numel() > case.traces[0].batch
    yield Explanation(
        kind="unneeded",
        cost=1.5 + 0.02 * unsummed,
        constant=is_constant(amounts),
        location=_place_of(case, target),
        operand=_operand(target),
        size=target.size,
        rank=used.index,
    )


def _has_twin(case: Case, target: Target, amounts: list[Tensor]) -> bool:
    """Return whether another term of the ldj adds the very same numbers everywhere."""
    for index, (trace, terms) in enumerate(zip(case.traces, case.terms, strict=True)):
        items = target.items[index]
        if len(items) != 1:
            return False
        mine = value_node(items[0])
        others = [
            node
            for node in (*terms.leaves, *terms.nodes)
            if node is not mine
            and node.name == mine.name
            and node.value.shape == mine.value.shape
            and torch.equal(node.value, mine.value)
        ]
        if not any(
            mine not in ancestors(node)
            and node not in ancestors(mine)
            and same(contribution(trace, node), amounts[index])
            for node in others
        ):
            return False
    return True


def _batch_totals(
    case: Case, amounts: list[Tensor], target: Target
) -> Iterator[Explanation]:
    needs = [a + d for a, d in zip(amounts, case.differences, strict=True)]
    varies = any(bool(((n - n[0]).abs() > 1e-6).any()) for n in needs)
    if not varies or not is_constant(amounts):
        return
    for reduced, word in ((torch.sum, "sum"), (torch.mean, "mean")):
        if all(
            same(reduced(need).expand(len(need)), amount)
            for need, amount in zip(needs, amounts, strict=True)
        ):
            yield Explanation(
                kind="events-only",
                cost=1.2,
                detail=word,
                location=_place_of(case, target),
                operand=_operand(target),
                size=target.size,
            )


def _unlogged_constants(
    case: Case, amounts: list[Tensor], target: Target
) -> Iterator[Explanation]:
    """Yield: a constant c * w where c * log|w| is needed, c being a count.

    Constants are often plain numbers, so no operation is left to edit.
    """
    if not is_constant(amounts):
        return
    needs = [a + d for a, d in zip(amounts, case.differences, strict=True)]
    if not is_constant(needs):
        return
    for counts in shape_counts(case.traces):
        pairs = zip(amounts, needs, counts, strict=True)
        if all(
            same(sign * count * (amount / count).abs().log(), need)
            for amount, need, count in pairs
            for sign in [1.0 if float(amount[0]) >= 0 else -1.0]
        ):
            yield Explanation(
                kind="add-log",
                cost=1.8,
                constant=True,
                location=_place_of(case, target),
                operand=_operand(target),
                size=target.size,
                rank=_roundabout(case.traces[0], target),
            )
            return


def _each_time(case: Case, target: Target) -> Iterator[Explanation]:
    """Yield multiples that apply at every execution of a running total in turn."""
    for factor, label, cost in (
        (-1.0, "-1", 1.1),
        (2.0, "2", 1.75),
        (0.5, "1/2", 1.75),
    ):
        way = ValueEdit("times", cost, lambda t, i, f=factor: f * value_node(i).value)  # type: ignore[misc]  # mypy cannot type the default
        if _repairs(case, target, way):
            multiplier = (
                Multiplier(family="sign", label=label)
                if factor < 0
                else Multiplier(family="number", label=label)
            )
            yield replace(_explained(case, target, way), multiplier=multiplier)


def _repairs(case: Case, target: Target, way: ValueEdit) -> bool:
    for trace, items in zip(case.traces, target.items, strict=True):
        if not items:
            continue
        now = edited(trace, items, way.edit)
        if now is None or not fits(trace, now, trace.exact):
            return False
    return True


def _explained(case: Case, target: Target, way: ValueEdit) -> Explanation:
    first = target.first
    assert first is not None
    node = user_node(first)
    used = value_node(first)
    trace = case.traces[0]
    place = place_of(trace, node)
    if way.outermost and node.name in LINEAR and used in trace.own_set:
        # What is missing around a value is missing where that value is made, if that is
        # in the same call; a value handed in from elsewhere is wrong where it is used.
        made = used.place
        if made is not None and place is not None and made.call == place.call:
            place = made
    return Explanation(
        kind=way.kind,
        cost=way.cost - 0.01 * (target.kind == "value"),
        location=location_of(place),
        operand=_operand(target),
        detail=way.detail,
        size=target.size,
        rank=-node.index if way.outermost or way.kind == "other-point" else node.index,
    )


def _roundabout(trace: Trace, target: Target) -> int:
    """Return 0 for a use of a value from outside, 1 for a term, 2 for a sum of them."""
    first = target.first
    assert first is not None
    node = value_node(first)
    if not isinstance(first, Node) and node not in trace.own_set:
        return 2 if node.name == "incoming" else 0
    return 2 if linear_positions(node) else 1


def _place_of(case: Case, target: Target | None) -> Location | None:
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


def _operand(target: Target | None) -> str | None:
    if target is None or target.first is None:
        return None
    first = target.first
    if isinstance(first, Node):
        return source_text(first.place)
    node, position = first
    return argument_text(node, position) or source_text(value_node(first).place)


def _has_mean(trace: Trace, target: Target) -> bool:
    first = target.first
    if first is None:
        return False
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
