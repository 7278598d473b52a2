"""Edits of the ldj's terms with which every number agrees: multiplied, or taken away."""

import ast
import math
from collections.abc import Iterator
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.engine.case import (
    Case,
    Target,
    contribution,
    has_mean,
    operand,
    roundabout,
    target_location,
    target_node,
    value_node,
)
from ldjcheck.mistakes.engine.closeness import (
    EXACTLY,
    adds_something,
    alike,
    fits,
    is_constant,
    same,
)
from ldjcheck.mistakes.engine.counts import Fit, fit_multiplier
from ldjcheck.mistakes.engine.kinds import Term
from ldjcheck.mistakes.engine.places import (
    beside_map,
    counting_statement,
    factor_statement,
    other_factor,
    scaling_statement,
    source_text,
    uses_towards,
    written_count,
)
from ldjcheck.records import Explanation, Location
from ldjcheck.tape import Node, Trace, ancestors, location_of
from ldjcheck.tape.node import linear_positions
from ldjcheck.torch_ops import ADD, DIVIDE, MULTIPLY, SUBTRACT

_COUNTS = ("dims", "spatial", "active", "shape")
_SCALES = ("number", "log-base", "dims")


def is_spelled_out(trace: Trace, node: Node, needed: float) -> bool | None:
    """Return whether what a term must be rid of is a number in the source, or a count.

    `needed` is what the term must be multiplied by. None where the source has no such
    factor, or one that may be either.
    """
    for user, position in uses_towards(trace, node):
        other = other_factor(user, position)
        if not isinstance(other, Real):
            continue
        factor = float(other)
        if user.name in DIVIDE and position == 0:
            factor = 1.0 / factor if factor else 0.0
        elif user.name not in MULTIPLY:
            continue
        if abs(factor * needed - 1.0) > EXACTLY:
            continue
        if _is_literal(source_text(user.place), float(other)):
            return True
        return False if isinstance(other, Integral) else None
    return None


def factors_written(trace: Trace, node: Node) -> frozenset[float]:
    """Return the plain numbers that a term is multiplied by on its way into the ldj."""
    uses = (use for use in uses_towards(trace, node) if use[0].name in MULTIPLY)
    others = (other_factor(user, position) for user, position in uses)
    return frozenset(abs(float(each)) for each in others if isinstance(each, Real))


def _is_literal(text: str | None, number: float) -> bool:
    """Return whether one side of a product or quotient is this number, written out."""
    try:
        (statement,) = ast.parse(text or "").body
    except (SyntaxError, ValueError):
        return False
    whole = statement.value if isinstance(statement, ast.Expr) else statement
    sides: list[ast.expr] = []
    if isinstance(whole, ast.BinOp):
        sides = [whole.left, whole.right]
    elif isinstance(whole, ast.AugAssign):
        sides = [whole.value]
    return any(
        isinstance(side, ast.Constant)
        and isinstance(side.value, (int, float))
        and float(side.value) == number
        for side in sides
    )


def whole_multiple(case: Case) -> Iterator[Explanation]:
    """Yield what the whole ldj must be multiplied by."""
    if case.finite:
        yield from _multiples(case, [trace.reported for trace in case.traces], None)


def multiples(term: Term) -> Iterator[Explanation]:
    """Yield what a term must be multiplied by."""
    yield from _multiples(term.case, term.amounts, term.target)


def _multiples(
    case: Case, amounts: list[Tensor], target: Target | None
) -> Iterator[Explanation]:
    """Yield the counts by which a term must be multiplied, one number per trace."""
    factors, traces = [], []
    rows = zip(case.traces, amounts, case.differences, strict=True)
    for trace, amount, difference in rows:
        need, factor = amount + difference, math.inf
        if adds_something([amount]):
            factor = float((amount @ need) / (amount @ amount))
            if not fits(trace, factor * amount, need):
                return
        elif fits(trace, need, amount):
            continue
        # A count that is off by one is none, and infinite, at a size: D - 1 at D = 1.
        factors.append(factor)
        traces.append(trace)
    if not any(map(math.isfinite, factors)):
        return
    constant = is_constant(amounts)
    place = target_location(case, target)
    constant_factor = factors[0] if max(factors) - min(factors) < EXACTLY else None
    written = _written_factor(case, target, constant_factor)
    mean = target is not None and has_mean(case.traces[0], target)
    dims_written = _dims_written(case, target)
    found = fit_multiplier(
        factors, traces, constant=constant, dims_written=dims_written
    )
    one_shape = len({trace.shape for trace in traces}) < 2
    rank = 0 if target is None else roundabout(case.traces[0], target)
    if one_shape:
        found = _as_spoken(case, target, constant_factor, found)
    else:
        found = _as_written(case, target, found)
    for fit in found[:3]:
        if written is None and constant and fit.multiplier.family in _COUNTS:
            written = _counted(case, target)
        if written is None and rank == 2 and fit.multiplier.family in _SCALES:
            written = _scaled(case, target)
        if written is None and fit.multiplier.family == "number" and constant_factor:
            written = _beside_map(case, target, constant_factor)
        yield Explanation(
            kind=kinds.TIMES,
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
            rank=rank,
            ambiguous=one_shape,
        )


def _as_written(case: Case, target: Target | None, found: list[Fit]) -> list[Fit]:
    """Return the counts that fit, first those in whose place the source has the number.

    Where all sizes have three channels, 3072 for the dims is 1024 for the places.
    """
    node = None if target is None else target_node(case, target)
    if node is None or sum(fit.instead is not None for fit in found) < 2:
        return found
    written = factors_written(case.traces[0], node)
    told = [fit for fit in found if fit.instead in written]
    least = min(fit.cost for fit in found)
    rest = [fit for fit in found if fit not in told]
    return [*(replace(fit, cost=least) for fit in told), *rest]


def _as_spoken(
    case: Case, target: Target | None, needed: float | None, found: list[Fit]
) -> list[Fit]:
    """Return the counts that fit at one shape, first those which the source speaks of."""
    node, spelled = target_node(case, target), None
    if needed and node is not None:
        spelled = is_spelled_out(case.traces[0], node, needed)
    if spelled is None or not found:
        return found
    least = min(fit.cost for fit in found) - kinds.SPOKEN_OF
    told = [f for f in found if (f.multiplier.family == "number") == spelled]
    rest = [f for f in found if f not in told]
    return [*(replace(f, cost=least) for f in told[:1]), *rest, *told[1:]]


def _enters_negatively(target: Target | None, amounts: list[Tensor]) -> bool:
    """Return whether a number, or one for each sample, enters with the other sign."""
    if target is None:
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
    node = target_node(case, target)
    if not factor or node is None:
        return None
    return location_of(factor_statement(case.traces[0], node, round(1.0 / factor, 6)))


def _dims_written(case: Case, target: Target | None) -> bool:
    """Return whether the source multiplies the target by the number of dims, everywhere.

    Two dims do not count: 2 has too many other meanings.
    """
    if target is None:
        return False
    return all(
        trace.dims > 2
        and abs(written_count(trace, value_node(items[0])) - trace.dims) < EXACTLY
        for trace, items in zip(case.traces, target.items, strict=True)
        if items
    )


def _counted(case: Case, target: Target | None) -> Location | None:
    """Return where a constant term is multiplied by its count, or should be."""
    node = target_node(case, target)
    if node is None:
        return None
    return location_of(counting_statement(case.traces[0], node))


def _beside_map(case: Case, target: Target | None, factor: float) -> Location | None:
    """Return where a term is made beside what the map multiplies by a number."""
    node = target_node(case, target)
    if node is None:
        return None
    return location_of(beside_map(case.traces[0], node, factor))


def _scaled(case: Case, target: Target | None) -> Location | None:
    """Return where the source multiplies a sum of terms by a number of its own."""
    node = target_node(case, target)
    if node is None:
        return None
    return location_of(scaling_statement(case.traces[0], node))


def unneeded(term: Term) -> Iterator[Explanation]:
    """Yield that a term must go: it belongs to nothing, or it is there twice."""
    case, target, amounts = term.case, term.target, term.amounts
    if not adds_something(amounts):
        return
    if not all(fits(t, n, 0 * n) for t, n in zip(case.traces, term.needs, strict=True)):
        return
    first = target.first
    used = value_node(first)
    here = target_location(case, target)
    known: dict[str, Any] = {"operand": operand(target), "size": target.size}
    if target.kind != "value" and _has_twin(term):
        yield kinds.TWICE.explanation(location=here, rank=used.index, **known)
        return
    users = [
        user
        for user in case.traces[0].own
        for position in linear_positions(user)
        if user.argument(position) is used
    ]
    summed = all(user.name in ADD | SUBTRACT for user in users)
    if target.kind == "edge" and len(users) > 1 and summed:
        later = max(users, key=lambda node: node.index)
        yield kinds.TWICE.explanation(location=location_of(later.place), **known)
        return
    unsummed = used.value.numel() > case.traces[0].batch
    kind = kinds.UNNEEDED_UNSUMMED if unsummed else kinds.UNNEEDED
    constant = is_constant(amounts)
    yield kind.explanation(constant=constant, location=here, rank=used.index, **known)


def _has_twin(term: Term) -> bool:
    """Return whether another term of the ldj adds the very same numbers everywhere."""
    case, target = term.case, term.target
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
            and same(contribution(trace, node), term.amounts[index])
            for node in others
        ):
            return False
    return True
