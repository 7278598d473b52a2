"""Steps of the map against terms of the ldj: what is left where equal ones cancel."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ldjcheck.mistakes.engine.arithmetic.linear_part import contribution
from ldjcheck.mistakes.engine.closeness import adds_something, same
from ldjcheck.mistakes.engine.ledger.scalings import Scaling, scalings_of
from ldjcheck.mistakes.engine.source.statements import place_of
from ldjcheck.tape import Node, Place

if TYPE_CHECKING:
    from ldjcheck.mistakes.engine.case import Case

_GROUP, _MOST = 3, 8  # parts that may be one together, and of how many

Amounts = list["torch.Tensor"]  # one (batch,) per trace


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one step does to log|det|, or what one term adds to the ldj."""

    amounts: Amounts
    place: Place | None  # in the first trace
    nodes: tuple[int, int] = (0, 0)  # of a step: the index where it begins, and ends


def left_over(case: Case) -> tuple[list[Part], list[Part]] | None:
    """Return the steps and the terms that nothing cancels.

    A step that is the sum of a few terms everywhere is right, and so is a term that is the
    sum of a few steps. What scales entries within a step is one of its own where that lets
    terms cancel. None where the traces do not have the same ones.
    """
    steps, terms = _steps(case), _terms(case)
    if steps is None or terms is None:
        return None
    steps, terms = _cancelled(steps, terms)
    if not steps or not terms:
        return steps, terms
    scalings = scalings_of(case.traces)
    finer = [part for step in steps for part in _taken_apart(step, scalings)]
    fewer = _cancelled(finer, terms)
    return fewer if len(fewer[1]) < len(terms) else (steps, terms)


def _cancelled(steps: list[Part], terms: list[Part]) -> tuple[list[Part], list[Part]]:
    steps, terms = _uncancelled(steps, terms)
    terms, steps = _uncancelled(terms, steps)
    return steps, terms


def _taken_apart(step: Part, scalings: Sequence[Scaling]) -> list[Part]:
    """Return the scalings within a step, and what is left of it without them."""
    begin, end = step.nodes
    inner = [
        Part(amounts=scaling.amounts, place=scaling.node.place)
        for scaling in scalings
        if begin < scaling.node.index <= end and adds_something(scaling.amounts)
    ]
    if not inner:
        return [step]
    pairs = zip(step.amounts, _sum(inner), strict=True)
    rest = Part(amounts=[whole - part for whole, part in pairs], place=step.place)
    return [*inner, rest] if adds_something(rest.amounts) else inner


def _uncancelled(ones: list[Part], others: list[Part]) -> tuple[list[Part], list[Part]]:
    """Return what is left where each of some is the sum of up to three of the others."""
    kept = []
    for one in ones:
        groups = (
            group
            for size in range(1, _GROUP + 1)
            for group in itertools.combinations(others[:_MOST], size)
        )
        twin = next((g for g in groups if _is_same(one.amounts, _sum(g))), None)
        if twin is None:
            kept.append(one)
        else:
            others = [each for each in others if not any(each is t for t in twin)]
    return kept, others


def _sum(group: Sequence[Part]) -> Amounts:
    columns = zip(*(part.amounts for part in group), strict=True)
    return [torch.stack(parts).sum(0) for parts in columns]


def _is_same(first: Amounts, second: Amounts) -> bool:
    return all(same(a, b) for a, b in zip(first, second, strict=True))


def _steps(case: Case) -> list[Part] | None:
    """Return the steps that do something."""
    counts = {len(trace.steps) for trace in case.traces}
    if len(counts) != 1:
        return None
    first = case.traces[0]
    found = [
        Part(
            amounts=[t.steps[i].logdet for t in case.traces],
            place=place_of(first, first.steps[i].end),
            nodes=(first.points[i].index, first.steps[i].end.index),
        )
        for i in range(counts.pop())
    ]
    return [part for part in found if adds_something(part.amounts)]


def _terms(case: Case) -> list[Part] | None:
    """Return the terms that add something."""
    counts = {len(terms.all) for terms in case.terms}
    if len(counts) != 1:
        return None
    first = case.terms[0].all
    pairs = list(zip(case.traces, case.terms, strict=True))
    found = [
        Part(
            amounts=[contribution(trace, terms.all[i]) for trace, terms in pairs],
            place=place_of(
                case.traces[0], made if isinstance(made := first[i], Node) else made[0]
            ),
        )
        for i in range(counts.pop())
    ]
    return [part for part in found if adds_something(part.amounts)]
