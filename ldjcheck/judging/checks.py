"""The checks that a report lists: ldj, contract, round trip and gradients of a direction."""

from collections.abc import Iterator
from dataclasses import fields, replace
from math import isinf
from typing import Any

import torch

from ldjcheck.numerics.closeness import ROUNDING
from ldjcheck.numerics.tolerance import CLEARLY, SOLVER_RESIDUAL, hides_mistakes
from ldjcheck.oracle.way_back.round_trip import anywhere, tells
from ldjcheck.records import Approximated, Check, Measurement, Sample, Side, Verdict
from ldjcheck.records.called import Behaviour, Coupling
from ldjcheck.records.result import Dimension
from ldjcheck.records.words import CheckStatus


def ldj_check(side: Side, status: CheckStatus, worst: float | None) -> Check:
    """Return the numbers of one configuration, samples and dims, under a status."""
    return Check(
        name="ldj",
        direction=side.direction,
        status=status,
        wrt=side.exact.wrt,
        shape=side.shape,
        dims=side.dims,
        dtype=side.said.dtype,
        tolerance=None
        if side.exact.allowed is None
        else float(side.exact.allowed.max()),
        worst=worst,
        method=side.exact.method,
        samples=tuple(_samples(side)),
        dimensions=tuple(_dimensions(side)),
        structure=side.exact.structure,
        products=side.exact.products,
    )


def _samples(side: Side) -> Iterator[Sample]:
    if side.exact.ldj is None or side.exact.allowed is None:
        return
    for index, exact in enumerate(side.exact.ldj.tolist()):
        reported = None if side.said.ldj is None else float(side.said.ldj[index])
        yield Sample(
            index=index,
            reported=reported,
            exact=exact,
            difference=None if reported is None else reported - exact,
            allowed=float(side.exact.allowed[index]),
        )


def _dimensions(side: Side) -> Iterator[Dimension]:
    if side.exact.shares is None:
        return
    own = side.said.shares
    for index, exact in enumerate(side.exact.shares[0].tolist()):
        reported = None if own is None else float(own[0, index])
        yield Dimension(index=index, exact=exact, reported=reported)


# --- the contract ---------------------------------------------------------------------

_COUPLED = 1e-8  # relative to the entries of J: what rounding leaves between samples


def behaviour_seen(sides: list[Side]) -> Behaviour:
    """Return each thing that was noticed, from the first configuration where it was."""
    seen = [replace(side.behaviour, coupling=_coupling(side)) for side in sides]
    found: dict[str, Any] = {}
    for field in fields(Behaviour):
        values = (getattr(each, field.name) for each in seen)
        found[field.name] = next((value for value in values if value), field.default)
    return Behaviour(**found)


def _coupling(side: Side) -> Coupling | None:
    """Return how samples are coupled, if by more than rounding."""
    found = side.behaviour.coupling
    if found is None:
        return None
    allowed = _uncoupled(side)
    output = found.output if found.output > allowed else 0.0
    ldj = found.ldj if found.ldj > allowed else 0.0
    return replace(found, output=output, ldj=ldj) if output or ldj else None


def _uncoupled(side: Side) -> float:
    """Return how far a sample may move with its companions: by rounding alone."""
    sizes = [1.0] + [
        float(values[torch.isfinite(values)].abs().max())
        for values in (side.exact.jacobian, side.y, side.said.ldj)
        if values is not None and torch.isfinite(values).any()
    ]
    rounding = _COUPLED * max(sizes) * (1.0 if side.said.dtype == "float64" else 1e5)
    # A solver that stops when the whole batch is good enough is coupled by its residual.
    return rounding + 10.0 * min(side.round_trip.residual, SOLVER_RESIDUAL)


def breaks_contract(seen: Behaviour) -> bool:
    """Return whether a behaviour is a fault, and no mere remark."""
    coupling, state = seen.coupling, seen.state
    return bool(
        seen.faults
        or seen.input_changed
        or seen.accumulation
        or (coupling and coupling.output and not coupling.by_mode)
        or (seen.unrepeatable and not seen.unrepeatable.by_mode)
        or (state and state.every_call and not state.by_mode)
        or seen.stale
    )


def contract_check(forward: Verdict, inverse: Verdict) -> Check:
    """Return whether the calls behave as the layer promises its callers."""
    both = (forward, inverse)
    broken = any(
        v.faults or v.form or v.no_output or breaks_contract(v.behaviour) for v in both
    )
    ran = any(v.check.status not in ("not-available", "error") for v in both)
    status: CheckStatus = "fail" if broken else "pass" if ran else "not-available"
    return Check(name="contract", direction=None, status=status)


# --- the round trip -------------------------------------------------------------------

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


# --- gradients ------------------------------------------------------------------------


def gradient_checks(
    measurement: Measurement, verdicts: tuple[Verdict, Verdict]
) -> Iterator[Check]:
    """Yield how the gradient of each direction's ldj came out.

    A wrong value has no right gradient, so nothing is said there. What could not be judged
    is left out for the way back, which is often for sampling only.
    """
    right = {v.direction: v.check for v in verdicts}
    for measured in measurement.gradients:
        ldj = right[measured.direction]
        if ldj.status not in ("pass", "unproven"):
            continue
        if measured.why is not None and measured.direction == "inverse":
            continue
        status: CheckStatus = "fail" if measured.wrong else "pass"
        if measured.map_off:
            status = "unproven"
        judged = measured.why is None
        yield Check(
            name="gradient",
            direction=measured.direction,
            status=status if judged else "not-available",
            wrt=ldj.wrt,
            shape=ldj.shape,
            dims=ldj.dims,
            dtype=ldj.dtype,
            tolerance=measured.allowed if judged and not measured.map_off else None,
            worst=measured.worst if judged and not measured.map_off else None,
        )
