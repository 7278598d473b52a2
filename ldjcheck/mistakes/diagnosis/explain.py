"""The engine: which single edit of the ldj's own arithmetic makes every number right.

Edits are substitutions on the tape: the ldj's own arithmetic is run again and must equal
the exact value on every sample of every configuration. Nothing is inverted, and the layer
is not called. What names a mistake is the cheapest edit that works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import torch
from torch import Tensor

from ldjcheck.mistakes import RULES
from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.engine.case import (
    Case,
    Edit,
    Item,
    Target,
    edited,
    is_nested,
    operand,
    user_node,
    value_node,
    without,
)
from ldjcheck.mistakes.engine.closeness import fits, same
from ldjcheck.mistakes.engine.counts import shape_before
from ldjcheck.mistakes.engine.edits import multiples, unneeded, whole_multiple
from ldjcheck.mistakes.engine.kinds import Term, Use, ValueEdit, value_of
from ldjcheck.mistakes.engine.laws import whole_laws
from ldjcheck.mistakes.engine.places import is_known_right, logged, place_of, spans_of
from ldjcheck.mistakes.terms.missing_term.steps import step_explanations
from ldjcheck.records import Explanation, Multiplier, Span
from ldjcheck.tape import Node, Trace, dependents, in_order, location_of
from ldjcheck.torch_ops import LINEAR

LAWS = tuple(law for rule in RULES for law in rule.laws)
_OF_STEPS = tuple(
    kind.name
    for kind in (
        kinds.STEP_UNACCOUNTED,
        kinds.OVERWRITTEN,
        kinds.PART_UNACCOUNTED,
        kinds.NORMALISER,
    )
)
_CLAIMED = tuple(claim.kind for rule in RULES for claim in rule.claims)
# What explains a NaN beside numbers that are right: a sign, or a region of the inputs.
_REGIONAL = frozenset(kind.name for kind in _CLAIMED if kind.regional)

_FEW_TURNS = 3  # fewer of a loop are no series
_OF_TURN: dict[str, Callable[[int], float]] = {
    "(k + 1) / k": lambda k: (k + 1) / k,
    "k / (k + 1)": lambda k: k / (k + 1),
    "1 / k": lambda k: 1 / k,
    "k": float,
}
_Factor = Callable[[Trace, Item], float]
_OfTurns = tuple[kinds.Kind, Multiplier | None, str | None, _Factor]


def explain(case: Case) -> tuple[Explanation, ...]:
    """Return the edits that explain the mistake, the simplest first.

    Raises:
        TimeIsUpError: the case's deadline came first.
    """
    if all(case.agree):
        return ()
    found = list(whole_laws(case.traces, LAWS))
    if any(e.kind == kinds.NOTHING_REPORTED.name for e in found):
        return tuple(found)
    input_nodes = _InputDependence()
    found.extend(whole_multiple(case))
    for target in case.targets:
        if case.deadline is not None:
            case.deadline.check()
        found.extend(_at_target(case, target, input_nodes))
    for rule in RULES:
        if rule.explanations is not None:
            found.extend(list(rule.explanations(case, found)))
    if _right_where_finite(case):
        found = [e for e in found if e.kind in _REGIONAL]
    if any(e.kind in (kinds.REGION.name, kinds.OTHER_CONDITION.name) for e in found):
        # right on a region of inputs: what repairs the rest is no change of point
        found = [e for e in found if e.kind != kinds.OTHER_POINT.name]
    first = case.traces[0]
    found.sort(
        key=lambda e: (e.cost, is_known_right(first, e.location), e.size, e.rank)
    )
    return tuple(e for e in found if e.cost < kinds.HOPELESS)


def _right_where_finite(case: Case) -> bool:
    """Return whether NaN or infinity is all that is wrong, and some samples are right."""
    right = 0
    for trace in case.traces:
        finite = torch.isfinite(trace.reported)
        right += int(finite.sum())
        if not same(trace.reported[finite], trace.exact[finite]):
            return False
    return not case.finite and right > 0


def found_again(best: Explanation, case: Case) -> tuple[Explanation, ...]:
    """Return an explanation as it holds of traces that it was not made from; or nothing.

    Only the targets of its line are edited. What is found there beside it follows.
    """

    def is_best(found: Explanation) -> bool:
        return (found.kind, found.multiplier, found.location) == (
            best.kind,
            best.multiplier,
            best.location,
        )

    if best.kind in _OF_STEPS:
        return tuple(filter(is_best, step_explanations(case.traces, ())))
    found = [*whole_multiple(case), *whole_laws(case.traces, LAWS)]
    line = best.location.line if best.location is not None else None
    inputs = _InputDependence()
    for target in case.targets:
        if all(p.line != line for p in user_node(target.first).places):
            continue
        found += _at_target(case, target, inputs)
    found = sorted(filter(is_best, found), key=lambda e: (e.cost, e.size, e.rank))
    return tuple(found)


def _at_target(
    case: Case, target: Target, inputs: _InputDependence
) -> list[Explanation]:
    linear = _is_linear(case, target)
    extra = kinds.ONE_OF_SEVERAL * target.single
    spans = _spans(target)
    explanations = _of_target(case, target, linear=linear, inputs=inputs)
    return [replace(e, cost=e.cost + extra, spans=spans) for e in explanations]


def _spans(target: Target) -> tuple[Span, ...]:
    first = target.first
    nodes = value_node(first), user_node(first)
    return tuple(dict.fromkeys(s for node in nodes for s in spans_of(node.places)))


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


def _of_target(
    case: Case, target: Target, *, linear: bool, inputs: _InputDependence
) -> Iterator[Explanation]:
    if linear and case.finite:
        yield from _of_term(case, target)
        if target.kind == "node" and any(is_nested(items) for items in target.items):
            yield from _each_time(case, target)
        yield from _at_each_turn(case, target)
    first = target.first
    use = Use(
        target=target,
        traces=case.traces,
        made=value_node(first),
        user=user_node(first),
        linear=linear,
        finite=case.finite,
        depends_on_input=inputs,
    )
    for rule in RULES:
        for way in () if rule.edits is None else rule.edits(use):
            if _repairs(case, target, way):
                yield _explained(case, target, way)


def _of_term(case: Case, target: Target) -> Iterator[Explanation]:
    """Yield what is wrong with a target that the ldj is linear in."""
    amounts = []
    for trace, items in zip(case.traces, target.items, strict=True):
        left = without(trace, items)
        if left is None:
            return
        amounts.append(trace.reported - left)
    term = Term(case, target, amounts)
    yield from multiples(term)
    yield from unneeded(term)
    for rule in RULES:
        if rule.terms is not None:
            yield from rule.terms(term)


def _each_time(case: Case, target: Target) -> Iterator[Explanation]:
    """Yield multiples that apply at every execution of a running total in turn."""
    for factor, kind in (
        (-1.0, kinds.SIGN_EACH_TIME),
        (2.0, kinds.NUMBER_EACH_TIME),
        (0.5, kinds.NUMBER_EACH_TIME),
    ):
        way = ValueEdit(kind, lambda value, f=factor: f * value.now)  # type: ignore[misc]  # mypy cannot type the default
        if _repairs(case, target, way):
            multiplier = Multiplier.by(Fraction(factor))
            yield replace(_explained(case, target, way), multiplier=multiplier)


def _at_each_turn(case: Case, target: Target) -> Iterator[Explanation]:
    """Yield a factor that a term of a loop lacks, another one at each turn."""
    ways = *_what_is_left(case, target), *_number_of_turn(target)
    for kind, multiplier, detail, factor in ways:

        def each(trace: Trace, item: Item, factor: _Factor = factor) -> Tensor:
            return value_node(item).value * factor(trace, item)

        if _is_right(case, target, each):
            way = ValueEdit(
                kind, lambda _: None, outermost=not multiplier, detail=detail
            )
            told = _explained(case, target, way)
            yield replace(told, multiplier=multiplier, constant=multiplier is not None)
            return


def _what_is_left(case: Case, target: Target) -> Iterator[_OfTurns]:
    """Yield counts of what the map has made by a turn, for a number that is counted once.

    Each squeeze of a loop leaves fewer places, and each split fewer dims: no count of the
    input is that of all turns.
    """
    trace, items = case.traces[0], target.items[0]
    if value_node(target.first).value.numel() != 1:
        return
    made = {shape_before(trace, user_node(item)) for item in items}
    names = {1: ("T",), 2: ("H", "W")}.get(len(trace.shape[1:]), ("dims",))
    for kind, first, over in (
        (kinds.SPATIAL_EACH_TIME, 1, ()),
        (kinds.DIMS_EACH_TIME, 0, ()),
        (kinds.COUNT_EACH_TIME, 1, names),
        (kinds.COUNT_EACH_TIME, 0, ("dims",)),
    ):
        of_input = prod(trace.shape[first:])
        if all(prod(shape[first:]) == of_input for shape in made):
            continue  # then it is a multiple of the term, and told as such

        def count(
            trace: Trace, item: Item, first: int = first, over: Any = over
        ) -> float:
            now = prod(shape_before(trace, user_node(item))[first:])
            return now / (prod(trace.shape[first:]) if over else 1)

        above = names if first else ("dims",)
        counts = Multiplier(family=kind.family or "shape", above=above, below=over)
        yield kind, counts, None, count


def _number_of_turn(target: Target) -> Iterator[_OfTurns]:
    """Yield factors made of the number of the turn, as the terms of a series have them."""
    if len(target.items[0]) < _FEW_TURNS:
        return
    turns = {id(item): k for items in target.items for k, item in enumerate(items, 1)}
    for text, form in _OF_TURN.items():

        def factor(_: Trace, item: Item, form: Callable[[int], float] = form) -> float:
            return form(turns[id(item)])

        yield kinds.TURN_EACH_TIME, None, text, factor


def _repairs(case: Case, target: Target, way: ValueEdit) -> bool:
    return _is_right(case, target, lambda t, item: way.edit(value_of(t, item)))


def _is_right(case: Case, target: Target, edit: Edit) -> bool:
    for trace, items in zip(case.traces, target.items, strict=True):
        if not items:
            continue
        now = edited(trace, items, edit)
        if now is None or not fits(trace, now, trace.exact):
            return False
    return True


def _explained(case: Case, target: Target, way: ValueEdit) -> Explanation:
    first = target.first
    node = user_node(first)
    used = value_node(first)
    trace = case.traces[0]
    place = place_of(trace, node)
    if way.kind is kinds.OTHER_POINT and place is not None:
        # A helper without a step takes the derivative where it is told to: its caller,
        # which made the value or hands its own input on, is meant.
        above = [p for p in node.places if p.call != place.call]
        own = None if used.place is None else used.place.call
        if not any(p.call == place.call for s in trace.steps for p in s.end.places):
            known = (p for p in above if own is None or p.call == own)
            place = next(known, place)
    if way.outermost and node.name in LINEAR and used in trace.own_set:
        # What is missing around a value is missing where that value is made, if that is
        # in the same call; a value handed in from elsewhere is wrong where it is used.
        made = used.place
        if made is not None and place is not None and made.call == place.call:
            place = made
    text = operand(target)
    return way.kind.explanation(
        more=-kinds.ALL_USES * (target.kind == "value"),
        multiplier=way.multiplier,
        location=location_of(place),
        operand=text if way.multiplier is None else logged(text),
        detail=way.detail,
        size=target.size,
        rank=-node.index
        if way.outermost or way.kind is kinds.OTHER_POINT
        else node.index,
    )
