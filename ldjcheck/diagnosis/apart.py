"""Two mistakes in one function: each leftover step explains one leftover term."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from ldjcheck.diagnosis.case import Case, make_case
from ldjcheck.diagnosis.engine import explain
from ldjcheck.diagnosis.numbers import same
from ldjcheck.diagnosis.terms import contribution

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from ldjcheck.records import Explanation

_PLAIN = 2.0  # an explanation that is no plainer than this may be an accident
_GROUP, _MOST = 3, 8  # terms that may be a step together, and of how many
_TOGETHER = 2  # mistakes; more leave too many ways of pairing

Amounts = list["Tensor"]  # one (batch,) per trace


@dataclass(frozen=True, slots=True, eq=False)
class _Pairing:
    """What is left over: for each mistake a step, or nothing, and a term, or nothing."""

    gaps: list[Amounts]  # step - term


def mistakes_apart(case: Case) -> list[tuple[Explanation, ...]]:
    """Return the explanations of two mistakes that no single edit explains; or nothing.

    Steps and terms that are equal everywhere are right. What is left is paired in every
    way, and each pair is a case of its own: its term must become its step. Both must have
    a plain explanation, at different places.
    """
    best: list[tuple[Explanation, ...]] = []
    least = float("inf")
    for pairing in _pairings(case):
        parts = [_explained(case, gap) for gap in pairing.gaps]
        if not all(parts) or any(part[0].cost >= _PLAIN for part in parts):
            continue
        places = {(part[0].location, part[0].operand) for part in parts}
        cost = sum(part[0].cost for part in parts)
        if len(places) == len(parts) and cost < least:
            best, least = parts, cost
    return best


def _explained(case: Case, gap: Amounts) -> tuple[Explanation, ...]:
    traces = [
        replace(trace, exact=trace.reported + amount)
        for trace, amount in zip(case.traces, gap, strict=True)
    ]
    return explain(make_case(traces))


def _pairings(case: Case) -> Iterator[_Pairing]:
    steps, terms = _steps(case), _terms(case)
    if steps is None or terms is None:
        return
    steps, terms = _left_over(steps, terms)
    terms, steps = _left_over(terms, steps)
    if max(len(steps), len(terms)) != _TOGETHER:
        return
    nothing = [torch.zeros_like(trace.reported) for trace in case.traces]
    steps += [nothing] * (_TOGETHER - len(steps))
    terms += [nothing] * (_TOGETHER - len(terms))
    for order in itertools.permutations(terms):
        yield _Pairing(
            [
                [s - t for s, t in zip(step, term, strict=True)]
                for step, term in zip(steps, order, strict=True)
            ]
        )


def _left_over(
    ones: list[Amounts], others: list[Amounts]
) -> tuple[list[Amounts], list[Amounts]]:
    """Return what is left where each of some is the sum of up to three of the others."""
    kept = []
    for one in ones:
        groups = (
            group
            for size in range(1, _GROUP + 1)
            for group in itertools.combinations(others[:_MOST], size)
        )
        twin = next((g for g in groups if _is_same(one, _sum(g))), None)
        if twin is None:
            kept.append(one)
        else:
            others = [each for each in others if not any(each is t for t in twin)]
    return kept, others


def _sum(group: Sequence[Amounts]) -> Amounts:
    return [torch.stack(parts).sum(0) for parts in zip(*group, strict=True)]


def _is_same(first: Amounts, second: Amounts) -> bool:
    return all(same(a, b) for a, b in zip(first, second, strict=True))


def _steps(case: Case) -> list[Amounts] | None:
    """Return what each step that does something adds to log|det|."""
    counts = {len(trace.steps) for trace in case.traces}
    if len(counts) != 1:
        return None
    found = [[t.steps[i].logdet for t in case.traces] for i in range(counts.pop())]
    return [amounts for amounts in found if _counts(amounts)]


def _terms(case: Case) -> list[Amounts] | None:
    """Return what each term adds to the ldj."""
    counts = {len(terms.all) for terms in case.terms}
    if len(counts) != 1:
        return None
    found = [
        [
            contribution(trace, terms.all[i])
            for trace, terms in zip(case.traces, case.terms, strict=True)
        ]
        for i in range(counts.pop())
    ]
    return [amounts for amounts in found if _counts(amounts)]


def _counts(amounts: Sequence[Tensor]) -> bool:
    return any(bool((amount.abs() > 1e-12).any()) for amount in amounts)
