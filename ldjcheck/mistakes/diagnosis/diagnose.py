"""Diagnosis: from traces of a wrong ldj to the edit, or two, that would put it right.

Nothing here runs the layer or names a mistake: it finds edits, and the rules name them.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache, partial

import torch

from ldjcheck.mistakes import RULES
from ldjcheck.mistakes.diagnosis.explain import LAWS, explain, found_again
from ldjcheck.mistakes.engine.case import Case, make_case, terms_add_up
from ldjcheck.mistakes.engine.closeness import ADDS_UP, fits, is_constant, same
from ldjcheck.mistakes.engine.edits import whole_multiple
from ldjcheck.mistakes.engine.kinds import (
    CLEAR,
    PART_UNACCOUNTED,
    PLAIN,
    STEP_UNACCOUNTED,
)
from ldjcheck.mistakes.engine.laws import whole_laws, with_law
from ldjcheck.mistakes.engine.ledger import (
    ledger_fault,
    ledger_lines,
    reported_shares,
    wrong_calls,
)
from ldjcheck.mistakes.engine.pairing import Amounts, Left, left_over, suspect_of
from ldjcheck.mistakes.engine.places import (
    base_statement,
    last_statement,
    reducing_statement,
    spans_of,
)
from ldjcheck.mistakes.engine.repairs import repaired_within
from ldjcheck.records import Deadline, Diagnosis, Explanation, LedgerLine, Span
from ldjcheck.tape import Trace, location_of

_TOGETHER = 2  # mistakes; more leave too many ways of pairing


def mistakes_apart(case: Case, left: Left) -> list[tuple[Explanation, ...]]:
    """Return the explanations of two mistakes that no single edit explains; or nothing.

    Steps and terms that are equal everywhere are right. What is left is paired in every
    way, and each pair is a case of its own: its term must become its step. Both must have
    a plain explanation, at different places.
    """
    best: list[tuple[Explanation, ...]] = []
    least = float("inf")
    for gaps in _pairings(case, left):
        parts = [_explained(case, gap) for gap in gaps]
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


def _pairings(case: Case, left: Left) -> Iterator[list[Amounts]]:
    """Yield what is left over, for each mistake a step, or nothing, less a term, or nothing."""
    parted = left()
    if parted is None:
        return
    steps, terms = ([part.amounts for part in parts] for parts in parted)
    if max(len(steps), len(terms)) != _TOGETHER:
        return
    nothing = [torch.zeros_like(trace.reported) for trace in case.traces]
    steps += [nothing] * (_TOGETHER - len(steps))
    terms += [nothing] * (_TOGETHER - len(terms))
    for order in itertools.permutations(terms):
        yield [
            [s - t for s, t in zip(step, term, strict=True)]
            for step, term in zip(steps, order, strict=True)
        ]


_ROUNDING = 1e-12  # nats a dim: no cost worth telling


def diagnose_traces(
    traces: Sequence[Trace],
    mistakes: tuple[tuple[Explanation, ...], ...] | None = None,
    deadline: Deadline | None = None,
    other: Diagnosis | None = None,
) -> Diagnosis:
    """Return what explains one direction's mistake, or that nothing does.

    Where the `mistakes` are known, as of sublayers by themselves, none are looked for.
    What explains the `other` direction is tried first: one mistake is likelier than two.

    Raises:
        TimeIsUpError: the `deadline` came first.
    """
    plain = [trace for trace in traces if not trace.probe.nudged] or traces
    nudged = [trace for trace in traces if trace.probe.nudged]
    case = make_case(_telling(plain), deadline)
    first = case.traces[0]
    left = cache(partial(left_over, case))
    fault = _fault(case)
    lines, dropped = _ledger(case, fault)
    gaps = [trace.reported - trace.exact for trace in case.traces]
    gap = float(gaps[0].mean())
    last = location_of(last_statement(first))
    if mistakes is None:
        mistakes = tuple(
            tuple(with_law(e, case.traces, _difference(e)) for e in found)
            for found in _same_mistake(case, other) or _mistakes(case, fault, left)
        )
    return Diagnosis(
        direction=first.direction,
        mistakes=mistakes,
        suspect=suspect_of(case, left, adds_up=fault is None),
        reduced=location_of(reducing_statement(first)),
        last=last,
        base=location_of(base_statement(first)),
        ledger=lines,
        ledger_dropped=dropped,
        constant=is_constant(gaps),
        bits_per_dim=_bits_per_dim(gap, first.dims),
        summed_lines=_summed_lines(case),
        moved_constants=_still_holds(mistakes, first, nudged),
        reported_shares=None if fault else _shares(case),
        touched=_touched(case),
    )


def _difference(explanation: Explanation) -> str:
    """Return how the mistake that claims an explanation writes reported - exact."""
    claims = (claim for rule in RULES for claim in rule.claims)
    said = (c.difference for c in claims if c.difference and c.kind.holds(explanation))
    return next(said, "")


def _bits_per_dim(gap: float, dims: int) -> float | None:
    """Return the cost of a difference in nats; None where the numbers shown agree.

    They do where what is wrong is a NaN, which no trace goes through.
    """
    if not math.isfinite(gap) or abs(gap) <= _ROUNDING * dims:
        return None
    return gap / (dims * math.log(2))


def trace_ledger(trace: Trace) -> Diagnosis:
    """Return the ledger of a trace whose numbers agree, and where its ldj is made."""
    case = make_case([trace])
    fault = _fault(case)
    lines, dropped = _ledger(case, fault)
    return Diagnosis(
        direction=trace.direction,
        mistakes=(),
        ledger=lines,
        ledger_dropped=dropped,
        reported_shares=None if fault else _shares(case),
        touched=_touched(case),
    )


def _ledger(case: Case, fault: str | None) -> tuple[tuple[LedgerLine, ...], str | None]:
    """Return the lines of the first trace, or why there are none that tell the truth."""
    if fault is not None:
        return (), fault
    trace = case.traces[0]
    lines = ledger_lines(trace, case.terms[0])
    if not lines or not torch.isfinite(trace.reported[0]):
        return lines, None
    total = trace.reported.new_tensor([lines[-1].reported_total])
    if same(total, trace.reported[:1], ADDS_UP):
        return lines, None
    return (), "some of what the reported ldj adds up was made in none of the lines"


def _still_holds(
    mistakes: Sequence[tuple[Explanation, ...]], first: Trace, nudged: Sequence[Trace]
) -> bool:
    """Return whether a constant mistake moved with the layer's own numbers, and still fits.

    It need not: a layer that stores a slope and its logarithm apart is no longer itself
    then. So this confirms an explanation, and its absence says nothing.
    """
    if len(mistakes) != 1 or not mistakes[0] or not nudged:
        return False
    gaps = [trace.reported - trace.exact for trace in (first, *nudged)]
    moved = not same(gaps[1][:1], gaps[0][:1])
    if not moved or not is_constant(gaps) or first.dims != nudged[0].dims:
        return False
    return bool(found_again(mistakes[0][0], make_case([first, *nudged])))


def _summed_lines(case: Case) -> tuple[int, ...]:
    """Return the lines whose terms exist per dim and are summed over the dims."""
    first = case.traces[0]
    lines = {
        node.place.line
        for node in case.terms[0].leaves
        if node.place is not None and node.value.numel() > first.batch
    }
    return tuple(sorted(lines))


def _touched(case: Case) -> tuple[Span, ...]:
    """Return every place at which the ldj's own arithmetic stands, callers included.

    And what transforms such as `vmap` ran: which of it is of the ldj, they hide.
    """
    traces = case.traces[:2]
    own = (
        node.places
        for trace in traces
        for node in (*trace.own, *([] if trace.ldj is None else [trace.ldj]))
    )
    mapped = itertools.chain.from_iterable(trace.mapped for trace in traces)
    spans = map(spans_of, itertools.chain(own, mapped))
    return tuple(dict.fromkeys(itertools.chain.from_iterable(spans)))


def _shares(case: Case) -> tuple[float, ...] | None:
    shares = reported_shares(case.traces[0], case.terms[0])
    return None if shares is None else tuple(shares.tolist())


def _telling(traces: Sequence[Trace]) -> Sequence[Trace]:
    """Return the finite traces where these disagree already, else all.

    A layer may report NaN for parameters that were turned around and never occur, and be
    wrong for another reason; but where NaN is all that is wrong, it is the mistake.
    """
    finite = [t for t in traces if bool(torch.isfinite(t.reported).all())]
    wrong = any(not fits(t, t.reported, t.exact) for t in finite)
    return finite if wrong else traces


def _same_mistake(case: Case, other: Diagnosis | None) -> list[tuple[Explanation, ...]]:
    """Return what explains another direction, where it explains this one as well."""
    if other is None or len(other.mistakes) != 1 or not other.mistakes[0]:
        return []
    best = other.mistakes[0][0]
    if best.cost >= CLEAR or not case.finite or not _replays(case):
        return []
    found = found_again(best, case)
    return [found] if found else []


def _mistakes(
    case: Case, fault: str | None, left: Left
) -> list[tuple[Explanation, ...]]:
    if not _replays(case):
        found = [*whole_laws(case.traces, LAWS), *whole_multiple(case)]
        return [tuple(sorted(found, key=lambda e: e.cost))]
    whole = explain(case)
    if fault is None and case.finite and not (whole and whole[0].cost < CLEAR):
        calls = wrong_calls(case.traces, case.terms)
        parts = [explain(make_case(traces, case.deadline)) for _, traces in calls]
        if len(parts) > 1 and all(parts):
            return parts
        if (
            len(parts) == 1
            and parts[0]
            and (not whole or parts[0][0].cost < whole[0].cost)
        ):
            return parts
    clear = whole and whole[0].cost < PART_UNACCOUNTED.cost
    # A density of what was made of a draw counts a step within its own line.
    counts = clear and STEP_UNACCOUNTED.holds(whole[0]) and case.traces[0].is_density
    if not case.finite or (clear and not counts):
        return [whole]
    # What is solved for, or holds of some inputs alone, tells no edit as a repair does.
    within = repaired_within(case)
    if whole:
        return [(*whole, *within)]
    if within or fault is not None:
        return [within]
    return mistakes_apart(case, left) or [whole]


def _fault(case: Case) -> str | None:
    return ledger_fault(case.traces[0], case.terms[0])


def _replays(case: Case) -> bool:
    """Return whether running the ldj's arithmetic again gives the ldj that was reported."""
    return all(
        terms_add_up(trace, terms, ADDS_UP)
        for trace, terms in zip(case.traces, case.terms, strict=True)
        if torch.isfinite(trace.reported).all()
    )
