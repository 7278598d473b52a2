"""Laws between reported and exact: of the whole ldj, over sizes, and in expectation."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import torch

from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.engine.closeness import fits
from ldjcheck.mistakes.engine.counts import counted
from ldjcheck.mistakes.engine.kinds import WholeLaw
from ldjcheck.mistakes.engine.places import (
    factor_statement,
    forgotten_statement,
    ldj_statement,
    turning_statement,
)
from ldjcheck.numerics.tolerance import CHANCE, common_factor
from ldjcheck.records import Diagnosis, Explanation, Law, Multiplier, Verdict
from ldjcheck.records.result import LawPoint
from ldjcheck.tape import Trace, location_of

_BOUND = 4.0  # standard errors of the factor
_FACTORS = (-1.0, 2.0, 0.5)  # by which an estimate may be off


def whole_laws(
    traces: Sequence[Trace], laws: Sequence[WholeLaw]
) -> Iterator[Explanation]:
    """Yield what holds on every sample of every trace: r = 0 or -e, or one of the laws."""
    first = traces[0]
    location = location_of(ldj_statement(first))
    finite = all(bool(torch.isfinite(trace.reported).all()) for trace in traces)
    if finite and not any(bool(trace.reported.any()) for trace in traces):
        forgotten = location_of(forgotten_statement(first))
        yield kinds.NOTHING_REPORTED.explanation(location=forgotten, whole=True)
        return
    if not finite:
        return
    if all(fits(trace, trace.reported, -trace.exact) for trace in traces):
        minus = Multiplier.by(Fraction(-1))
        written = first.ldj and factor_statement(first, first.ldj, -1.0)
        place = location_of(written or turning_statement(first)) or location
        yield kinds.WHOLE_SIGN.explanation(multiplier=minus, whole=True, location=place)
    for law in laws:
        if _holds(law, traces):
            exact = [trace.exact for trace in traces]
            detail = None if law.detail is None else law.detail(exact)
            yield law.kind.explanation(whole=True, location=location, detail=detail)


def _holds(law: WholeLaw, traces: Sequence[Trace]) -> bool:
    if law.tells is not None and not any(law.tells(trace.exact) for trace in traces):
        return False
    for trace in traces:
        expected = law.reported(trace.exact, trace)
        if expected is None or not fits(trace, trace.reported, expected):
            return False
    return True


def with_law(
    explanation: Explanation, traces: Sequence[Trace], difference: str = ""
) -> Explanation:
    """Return the explanation with `difference = ...` and the sizes where it was seen.

    `difference` is how the mistake writes it, with `{term}` for the term. Where it says
    nothing, only that of a multiplier is known.
    """
    expression = _expression(explanation, difference)
    if expression is None:
        return explanation
    over, counts = _counted(explanation.multiplier, traces)
    points: dict[int, LawPoint] = {}
    for trace, count in zip(traces, counts, strict=True):
        gap = float((trace.reported - trace.exact)[0])
        found = LawPoint(dims=trace.dims, difference=gap, count=count)
        points.setdefault(trace.dims, found)
    told = tuple(points[dims] for dims in sorted(points))
    return replace(explanation, law=Law(expression=expression, points=told, over=over))


def _counted(
    multiplier: Multiplier | None, traces: Sequence[Trace]
) -> tuple[str, list[float]]:
    """Return what a law counts, and how much of it each trace has: dims, if nothing else.

    A sublayer behind a squeeze counts its own sizes, by names that the input need not have.
    """
    dims = "dims", [float(trace.dims) for trace in traces]
    if multiplier is None or not (multiplier.above or multiplier.below):
        return dims
    try:
        found = counted(multiplier, traces)
    except KeyError:
        return dims
    whole = Multiplier(
        family="shape", above=multiplier.above, below=multiplier.below
    ).label
    return (whole, found) if all(map(math.isfinite, found)) else dims


def _expression(explanation: Explanation, difference: str) -> str | None:
    term, is_negative = "the term", explanation.negative
    if explanation.whole:
        term = "reported"
    elif explanation.constant and explanation.operand is not None:
        term = explanation.operand
        if explanation.kind == kinds.TIMES and not explanation.bare:
            # What is summed or multiplied before it is added is more than its operand.
            term, is_negative = f"(the share of {term})", False
    if explanation.kind == kinds.TIMES and explanation.multiplier is not None:
        label = explanation.multiplier.label
        if explanation.multiplier.family == "sign":
            return f"2 * {term}"
        factor = f"({label} - 1)" if is_negative else f"(1 - {label})"
        factor = factor.replace("1 - -", "1 + ")
        return f"{factor} * {term}"
    return difference.replace("{term}", term) or None


def diagnose_estimate(verdict: Verdict) -> Diagnosis:
    """Return the factor by which an estimate is off, where exactly one is likely.

    q = sum r e / sum e**2 over all samples, weighted by their precision; nothing is traced,
    since one call of an estimator has no right value.
    """
    mistake: tuple[Explanation, ...] = ()
    factor, error = common_factor(_samples(verdict))
    if math.isfinite(error):
        near = [q for q in _FACTORS if abs(factor - q) <= _BOUND * error + 1e-6]
        if len(near) == 1:
            multiplier = Multiplier.by(1 / Fraction(near[0]))
            mistake = (
                kinds.OF_ESTIMATE.explanation(whole=True, multiplier=multiplier),
            )
    return Diagnosis(
        direction=verdict.direction,
        mistakes=(mistake,),
        ledger_dropped="the ldj is a random estimate, and this is its mean",
    )


def _samples(verdict: Verdict) -> Iterator[tuple[float, float, float]]:
    for _, side, good in verdict.usable:
        said, exact, allowed = side.said.ldj, side.exact.ldj, side.exact.allowed
        if said is not None and exact is not None and allowed is not None:
            columns = said[good], exact[good], allowed[good] / CHANCE
            yield from zip(*(column.tolist() for column in columns), strict=True)
