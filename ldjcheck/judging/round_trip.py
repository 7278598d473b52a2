"""Whether the way back undoes the map."""

from __future__ import annotations

from math import isinf

from ldjcheck.numerics.closeness import ROUNDING
from ldjcheck.numerics.tolerance import CLEARLY, SOLVER_RESIDUAL, hides_mistakes
from ldjcheck.oracle.way_back.round_trip import anywhere, tells
from ldjcheck.records import Approximated, Check, Measurement, Side, Verdict
from ldjcheck.records.words import CheckStatus

_RIGHT = "pass", "not-available"


def round_trip_check(
    measurement: Measurement, forward: Verdict, inverse: Verdict
) -> Check:
    """Return how far there and back misses, and whether that is allowed.

    An ldj of the way back that is wrong makes a small miss a slip in the inverse rather
    than a solver's residual, unless forward's is wrong as well: then neither says so. Nor
    does it where a solver was seen: a way back without a derivative of its own.
    """
    ways = [
        (m.inverse, m.forward)
        for m in measurement.measured
        if m.inverse.round_trip.off is not None
    ]
    if not ways or ways[0][0] is not measurement.measured[0].inverse:
        return Check(name="round-trip", direction=None, status="not-available")
    telling = [pair for pair in ways if tells(*pair)]
    first, there = max(telling or ways, key=lambda pair: _excess(pair[0]))
    worst, allowed = first.round_trip.off or 0.0, first.round_trip.allowed or 0.0
    solves = first.exact.method == "preimage" or first.round_trip.scatters
    agrees = solves or not inverse.mismatched or forward.mismatched
    proved = forward.check.status == "pass" and inverse.check.status in _RIGHT
    hides = _may_hide(inverse) and not _converges(measurement)
    status: CheckStatus = "fail"
    if allowed < worst <= min(CLEARLY * allowed, ROUNDING):
        allowed = CLEARLY * allowed  # too little to be anything else
    if worst <= allowed and (telling or worst <= anywhere(first, there)):
        status = "unproven" if first.round_trip.nears and hides else "pass"
    elif solves and worst <= SOLVER_RESIDUAL and proved and not hides:
        status, allowed = "pass", SOLVER_RESIDUAL
    elif (
        worst <= CLEARLY * allowed
        or (not telling and isinf(worst))
        or (worst <= SOLVER_RESIDUAL and agrees)
    ):
        status = "unproven"
    return Check(
        name="round-trip",
        direction=None,
        status=status,
        shape=first.shape,
        dims=first.dims,
        dtype=first.said.dtype,
        tolerance=allowed,
        worst=worst,
    )


def _may_hide(inverse: Verdict) -> bool:
    """Return whether the ldj of a way back is off by as much as a mistake may make it.

    What it reports where its solver ended is as good as at any other point.
    """
    check = inverse.check
    told = check.status == "pass" and check.worst is not None
    return told and (check.worst or 0.0) > hides_mistakes(check.dims or 1)


def _converges(measurement: Measurement) -> bool:
    """Return whether the way back is right in the limit of finer steps, which were tried."""
    approximated = measurement.evidence.of(Approximated)
    return any(each.direction == "inverse" for each in approximated)


def _excess(side: Side) -> float:
    """Return by how many times the way back misses what is allowed."""
    if side.round_trip.off is None or side.round_trip.allowed is None:
        return 0.0
    return side.round_trip.off / max(side.round_trip.allowed, 1e-300)
