"""Explanations that treat a target as a term: multiplied, dropped, unlogged, reduced."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ldjcheck.diagnosis.blame import (
    counting_statement,
    factor_statement,
    written_count,
)
from ldjcheck.diagnosis.case import (
    Case,
    has_mean,
    operand,
    roundabout,
    target_location,
)
from ldjcheck.diagnosis.numbers import (
    Fit,
    alike,
    fit_multiplier,
    fits,
    is_constant,
    same,
    shape_counts,
)
from ldjcheck.diagnosis.places import location_of
from ldjcheck.diagnosis.spoken import is_spelled_out
from ldjcheck.diagnosis.targets import Target, value_node, without
from ldjcheck.diagnosis.terms import contribution
from ldjcheck.records import Explanation, Location
from ldjcheck.tape import Trace, ancestors
from ldjcheck.tape.families import ADD, SUBTRACT
from ldjcheck.tape.linear import linear_positions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

_EXACTLY = 1e-9
_SAID = 0.05  # by how much what the source speaks of is simpler
_COUNTS = ("dims", "spatial", "active", "shape")


def whole_multiple(case: Case) -> Iterator[Explanation]:
    """Yield what the whole ldj must be multiplied by."""
    if case.finite:
        yield from _multiples(case, [trace.reported for trace in case.traces], None)


def of_term(case: Case, target: Target) -> Iterator[Explanation]:
    """Yield what is wrong with a target that the ldj is linear in."""
    values = [
        _or_none(trace, without(trace, items))
        for trace, items in zip(case.traces, target.items, strict=True)
    ]
    amounts = [value for value in values if value is not None]
    if len(amounts) < len(values):
        return
    yield from _multiples(case, amounts, target)
    yield from _unneeded(case, amounts, target)
    yield from _batch_totals(case, amounts, target)
    yield from _unlogged_constants(case, amounts, target)


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
                # A count that is off by one is none at this size: D - 1 at D = 1.
                factors.append(math.inf)
                traces.append(trace)
            continue
        factor = (amount @ need) / (amount @ amount)
        if not fits(trace, factor * amount, need):
            return
        factors.append(float(factor))
        traces.append(trace)
    if not any(map(math.isfinite, factors)):
        return
    constant = is_constant(amounts)
    place = target_location(case, target)
    constant_factor = factors[0] if max(factors) - min(factors) < 1e-9 else None
    written = _written_factor(case, target, constant_factor)
    mean = target is not None and has_mean(case.traces[0], target)
    fits_found = fit_multiplier(
        factors, traces, constant=constant, dims_written=_dims_written(case, target)
    )
    if len({trace.shape for trace in traces}) < 2:
        fits_found = _as_spoken(case, target, constant_factor, fits_found)
    for fit in fits_found[:3]:
        if written is None and constant and fit.multiplier.family in _COUNTS:
            written = _counted(case, target)
        yield Explanation(
            kind="times",
            cost=fit.cost,
            multiplier=fit.multiplier,
            constant=constant,
            mean_written=mean,
            whole=target is None,
            negative=_enters_negatively(target, amounts),
            bare=_is_all(target, amounts),
            location=written or place,
            operand=operand(target),
            size=99 if target is None else target.size,
            rank=0 if target is None else roundabout(case.traces[0], target),
            ambiguous=len({trace.shape for trace in traces}) < 2,
        )


def _as_spoken(
    case: Case, target: Target | None, needed: float | None, found: list[Fit]
) -> list[Fit]:
    """Return the counts that fit at one shape, first those which the source speaks of."""
    trace = case.traces[0]
    node = trace.ldj if target is None else value_node(target.first)  # type: ignore[arg-type]  # a target has items
    spelled = (
        None if not needed or node is None else is_spelled_out(trace, node, needed)
    )
    if spelled is None or not found:
        return found
    least = min(fit.cost for fit in found) - _SAID
    told = [f for f in found if (f.multiplier.family == "number") == spelled]
    rest = [f for f in found if f not in told]
    return [*(replace(f, cost=least) for f in told[:1]), *rest, *told[1:]]


def _enters_negatively(target: Target | None, amounts: list[Tensor]) -> bool:
    """Return whether a number, or one for each sample, enters with the other sign."""
    if target is None or target.first is None:
        return False
    value = value_node(target.first).value
    if value.numel() not in (1, len(amounts[0])):
        return False
    return float(value.reshape(-1)[0]) * float(amounts[0][0]) < 0


def _is_all(target: Target | None, amounts: list[Tensor]) -> bool:
    """Return whether a number, or one for each sample, enters as it is, up to its sign."""
    if target is None or any(len(items) != 1 for items in target.items):
        return False
    for items, amount in zip(target.items, amounts, strict=True):
        value = value_node(items[0]).value
        if value.numel() not in (1, len(amount)):
            return False
        number = value.detach().abs().reshape(-1).to(amount.dtype)
        if not bool(torch.isclose(amount.abs(), number, rtol=1e-6).all()):
            return False
    return True


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


def _dims_written(case: Case, target: Target | None) -> bool:
    """Return whether the source multiplies the target by the number of dims, everywhere.

    Two dims do not count: 2 has too many other meanings.
    """
    if target is None:
        return False
    return all(
        trace.dims > 2
        and abs(written_count(trace, value_node(items[0])) - trace.dims) < _EXACTLY
        for trace, items in zip(case.traces, target.items, strict=True)
        if items
    )


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
            location=target_location(case, target),
            operand=operand(target),
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
            operand=operand(target),
            size=target.size,
        )
        return
    unsummed = used.value.numel() > case.traces[0].batch
    yield Explanation(
        kind="unneeded",
        cost=1.5 + 0.02 * unsummed,
        constant=is_constant(amounts),
        location=target_location(case, target),
        operand=operand(target),
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
            and alike(node.value, mine.value)
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
                cost=1.21,  # a reduction that can be pointed at comes first
                detail=word,
                location=target_location(case, target),
                operand=operand(target),
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
                location=target_location(case, target),
                operand=operand(target),
                size=target.size,
                rank=roundabout(case.traces[0], target),
            )
            return
