"""Comparing: what the layer says against what is true, sample by sample.

Nothing is named here. A verdict says whether a direction agrees everywhere, and if it
does, whether that proves anything.
"""

from __future__ import annotations

from ldjcheck.compare.contract import breaks_contract, contract_check
from ldjcheck.compare.gradients import gradient_checks
from ldjcheck.compare.round_trip import round_trip_check
from ldjcheck.compare.verdict import verdict_on
from ldjcheck.records import Comparison, Measurement

__all__ = ["breaks_contract", "compare"]


def compare(measurement: Measurement) -> Comparison:
    """Return what agrees, what does not, and what proves nothing."""
    forward = verdict_on(measurement, "forward")
    inverse = verdict_on(measurement, "inverse")
    return Comparison(
        measurement=measurement,
        forward=forward,
        inverse=inverse,
        round_trip=round_trip_check(measurement, forward, inverse),
        contract=contract_check(forward, inverse),
        gradients=tuple(gradient_checks(measurement, (forward, inverse))),
    )
