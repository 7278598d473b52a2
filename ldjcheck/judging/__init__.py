"""Comparing: what the layer says against what is true, sample by sample.

Nothing is named here. A verdict says whether a direction agrees everywhere, and if it
does, whether that proves anything.
"""

from dataclasses import replace

from ldjcheck.judging.checks import (
    breaks_contract,
    contract_check,
    gradient_checks,
    round_trip_check,
)
from ldjcheck.judging.verdict import verdict_on
from ldjcheck.records import Check, Comparison, Measurement, Verdict
from ldjcheck.records.words import CheckStatus

__all__ = ["breaks_contract", "compare"]


def compare(measurement: Measurement) -> Comparison:
    """Return what agrees, what does not, and what proves nothing."""
    forward = verdict_on(measurement, "forward")
    inverse = verdict_on(measurement, "inverse")
    round_trip = round_trip_check(measurement, forward, inverse)
    back = measurement.calls.inverse
    if back is not None and back.derived and not forward.mismatched:
        inverse = _of_the_map_alone(inverse, round_trip, "not-available")
    inverse = _as_meant(inverse, round_trip)
    return Comparison(
        measurement=measurement,
        forward=forward,
        inverse=inverse,
        round_trip=round_trip,
        contract=contract_check(forward, inverse),
        gradients=tuple(gradient_checks(measurement, (forward, inverse))),
    )


def _as_meant(inverse: Verdict, round_trip: Check) -> Verdict:
    """Return the verdict on a way back that leads elsewhere, with the ldj of one that does not.

    Its map is to blame, and once that is mended the ldj is right.
    """
    told = [side for _, side, _ in inverse.usable if side.said.ldj is not None]
    apart = [side for side in told if not side.agrees]
    if not apart or not all(side.round_trip.meant for side in apart):
        return inverse
    found = _of_the_map_alone(inverse, round_trip, "unproven")
    return replace(found, meant=not found.mismatched)


def _of_the_map_alone(
    inverse: Verdict, round_trip: Check, status: CheckStatus
) -> Verdict:
    """Return the verdict on a way back whose ldj a library makes of the forward one.

    Minus a right formula is wrong where the way back leads elsewhere. It is the map that is
    to blame then, and no one has claimed anything about its ldj.
    """
    if not inverse.mismatched or round_trip.status != "fail":
        return inverse
    check = replace(inverse.check, status=status)
    return replace(inverse, check=check, mismatched=False)
