"""Calls within a call: which of several sublayers is wrong, when more than one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.mistakes.engine.arithmetic.linear_part import Terms, contribution
from ldjcheck.mistakes.engine.closeness import same
from ldjcheck.tape import Node, Place, Trace


@dataclass(frozen=True, slots=True, eq=False)
class CallSums:
    """What one call does to log|det| (`steps`) and adds to the ldj (`terms`)."""

    place: Place
    first: int
    call: int
    steps: Tensor
    terms: Tensor
    step_count: int


def wrong_calls(
    traces: Sequence[Trace], terms: Sequence[Terms]
) -> list[tuple[Place, tuple[Trace, ...]]]:
    """Return the innermost calls whose steps and terms part ways, each as its own case.

    The traces of a case ask for that one call to be put right: exact is reported plus what
    the call's own steps and terms differ by.
    """
    found = [_calls(trace, t) for trace, t in zip(traces, terms, strict=True)]
    shapes = {tuple((c.place.function, c.place.file) for c in calls) for calls in found}
    if len(shapes) != 1:
        return []
    wrong: list[tuple[int, list[Tensor]]] = []
    for index in reversed(range(len(found[0]))):
        calls = [sums[index] for sums in found]
        gaps = [call.steps - call.terms for call in calls]
        if all(same(call.terms, call.steps) for call in calls):
            continue
        if not all(call.step_count for call in calls):
            continue
        inner = [
            i
            for i, _ in wrong
            if _contains(traces[0], found[0][index].call, found[0][i].call)
        ]
        if inner and all(
            same(_total([found[t][i].steps - found[t][i].terms for i in inner]), gap)
            for t, gap in enumerate(gaps)
        ):
            continue
        wrong.append((index, gaps))
    if not _cover(traces, [gaps for _, gaps in wrong]):
        return []
    return [
        (
            found[0][index].place,
            tuple(
                replace(trace, exact=trace.reported + gap)
                for trace, gap in zip(traces, gaps, strict=True)
            ),
        )
        for index, gaps in reversed(wrong)
    ]


def _cover(traces: Sequence[Trace], wrong: Sequence[Sequence[Tensor]]) -> bool:
    """Return whether the calls' own gaps are together the whole difference.

    They are not where map and ldj are computed in separate calls: then a call's steps and
    terms have nothing to do with each other.
    """
    return bool(wrong) and all(
        same(trace.reported + _total([gaps[t] for gaps in wrong]), trace.exact)
        for t, trace in enumerate(traces)
    )


def _calls(trace: Trace, terms: Terms) -> list[CallSums]:
    """Return all calls in the order in which they began."""
    zero = torch.zeros(trace.batch, dtype=torch.float64)
    steps: dict[int, list[Tensor]] = {}
    added: dict[int, list[Tensor]] = {}
    began: dict[int, tuple[int, Place]] = {}

    def note(node: Node) -> None:
        for place in reversed(node.places):  # of calls that begin together, outer first
            began.setdefault(place.call, (node.index, place))

    for step in trace.steps:
        note(step.end)
        for place in step.end.places:
            steps.setdefault(place.call, []).append(step.logdet)
    for target in terms.all:
        node = target if isinstance(target, Node) else target[0]
        note(node)
        amount = contribution(trace, target)
        for place in node.places:
            added.setdefault(place.call, []).append(amount)
    return [
        CallSums(
            place=place,
            first=first,
            call=call,
            steps=_total([zero, *steps.get(call, [])]),
            terms=_total([zero, *added.get(call, [])]),
            step_count=len(steps.get(call, [])),
        )
        for call, (first, place) in sorted(began.items(), key=lambda item: item[1][0])
    ]


def _total(parts: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(parts)).sum(0)


def _contains(trace: Trace, outer: int, inner: int) -> bool:
    for node in trace.nodes:
        calls = [place.call for place in node.places]
        if inner in calls and outer in calls:
            return calls.index(outer) > calls.index(inner)
    return False
