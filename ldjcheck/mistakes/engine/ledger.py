"""What each executed line, and each call, did to log|det| and to the reported ldj."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.mistakes.engine.case import (
    Terms,
    contribution,
    replayed_with,
    terms_add_up,
    user_node,
    value_node,
)
from ldjcheck.mistakes.engine.closeness import ADDS_UP, SOMETHING, is_constant, same
from ldjcheck.records import LedgerLine
from ldjcheck.tape import Edge, Node, Place, Trace, ancestors, in_order, location_of


def ledger_fault(trace: Trace, terms: Terms) -> str | None:
    """Return why a ledger of this trace would not be the truth, or None."""
    if not trace.steps and len(trace.points) > 1:
        return "the exact ldj was added up by sublayer, not by line"
    if not trace.steps and bool((trace.exact.abs() > SOMETHING).any()):
        return "the map's operations are hidden, in compiled code for instance"
    slack = trace.slack / (1 + trace.exact.abs())  # `same` takes what is relative
    if not same(trace.step_sum(), trace.exact, ADDS_UP + slack):
        return "the steps that were seen do not add up to the exact ldj"
    if torch.isfinite(trace.reported).all() and not terms_add_up(trace, terms, ADDS_UP):
        return "the terms that were seen do not add up to the reported ldj"
    return None


Key = tuple[str, int, int]  # a file, a line, and the call in which it ran


def ledger_lines(trace: Trace, terms: Terms) -> tuple[LedgerLine, ...]:
    """Return the lines in the order they ran, for the first sample, with running totals."""
    exact: dict[Key, float] = {}
    reported: dict[Key, float] = {}
    first: dict[Key, tuple[int, Place]] = {}

    def note(node: Node, amount: float, into: dict[Key, float]) -> None:
        place = _last_place(node)
        if place is None:
            return
        key = (place.file, place.line, place.call)
        into[key] = into.get(key, 0.0) + amount
        first.setdefault(key, (node.index, place))

    for step in trace.steps:
        note(step.end, float(step.logdet[0]), exact)
    for target in terms.all:
        amount = float(contribution(trace, target)[0])
        if amount:
            note(user_node(target), amount, reported)
    if trace.ldj is not None and trace.ldj not in trace.own_set and trace.ldj.places:
        note(trace.ldj, float(trace.reported[0]), reported)
    lines, exact_total, reported_total = [], 0.0, 0.0
    for key, (_, place) in sorted(first.items(), key=lambda item: item[1][0]):
        exact_total += exact.get(key, 0.0)
        reported_total += reported.get(key, 0.0)
        where = location_of(place)
        assert where is not None, "the place is known"
        lines.append(
            LedgerLine(
                direction=trace.direction,
                file=where.file,
                cell=where.cell,
                line=where.line,
                function=place.function,
                text=where.text or "",
                exact=exact.get(key),
                reported=reported.get(key),
                exact_total=exact_total,
                reported_total=reported_total,
            )
        )
    return tuple(lines)


def _last_place(node: Node) -> Place | None:
    """Return where a value was made: what we made of several outputs, where they were."""
    if node.place is not None:
        return node.place
    made = reversed(in_order(ancestors(node)))
    return next((each.place for each in made if each.place is not None), None)


def reported_shares(trace: Trace, terms: Terms) -> Tensor | None:
    """Return the reported ldj of the first sample by dim, `(dims,)`; None if not split.

    A term that exists per dim before it is summed is split as it was; a constant one is
    spread evenly. Anything else, half a chunk's scales for instance, cannot be told.
    """
    if trace.dims > 64:
        return None
    shares = torch.zeros(trace.dims, dtype=torch.float64)
    for target in terms.all:
        amount = contribution(trace, target)
        value = value_node(target).value
        if value.numel() == trace.batch * trace.dims and value.dim() > 1:
            shares += _by_dim(trace, target, value)
        elif value.numel() == 1 and is_constant([amount]):
            shares += amount[0] / trace.dims
        else:
            return None
    return shares if same(shares.sum().reshape(1), trace.reported[:1]) else None


def _by_dim(trace: Trace, target: Node | Edge, value: Tensor) -> Tensor:
    parts = []
    for index in range(trace.dims):
        changed = value.clone().reshape(trace.batch, -1)
        changed[:, index] = 0.0
        left = replayed_with(trace, target, changed.reshape(value.shape))
        parts.append((trace.reported - left)[0])
    return torch.stack(parts)


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
        node = user_node(target)
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
