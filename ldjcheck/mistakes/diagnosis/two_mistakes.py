"""Two mistakes in one function: each leftover step explains one leftover term."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from ldjcheck.mistakes.diagnosis.explain import explain
from ldjcheck.mistakes.engine.case import Case, make_case
from ldjcheck.mistakes.engine.kinds import PLAIN
from ldjcheck.mistakes.engine.pairing import Amounts, left_over
from ldjcheck.records import Explanation

_TOGETHER = 2  # mistakes; more leave too many ways of pairing


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
        if not all(parts) or any(part[0].cost >= PLAIN for part in parts):
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
    return explain(make_case(traces, case.deadline))


def _pairings(case: Case) -> Iterator[_Pairing]:
    left = left_over(case)
    if left is None:
        return
    steps, terms = ([part.amounts for part in parts] for parts in left)
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
