"""A wrong estimate: one factor between means and exact values, over all samples."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ldjcheck.mistakes.engine.kinds import OF_ESTIMATE
from ldjcheck.numerics.tolerance import CHANCE, common_factor
from ldjcheck.records import Diagnosis, Explanation, Multiplier, Verdict

_BOUND = 4.0  # standard errors of the factor
_FACTORS = {
    -1.0: Multiplier(family="sign", label="-1"),
    2.0: Multiplier(family="number", label="1/2"),
    0.5: Multiplier(family="number", label="2"),
}


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
            mistake = (
                OF_ESTIMATE.explanation(
                    whole=True,
                    multiplier=_FACTORS[near[0]],
                ),
            )
    return Diagnosis(
        direction=verdict.direction,
        mistakes=(mistake,),
        ledger_dropped="the ldj is a random estimate, and this is its mean",
    )


def _samples(verdict: Verdict) -> Iterator[tuple[float, float, float]]:
    for _, side, good in verdict.usable:
        if (
            side.said.ldj is None
            or side.exact.ldj is None
            or side.exact.allowed is None
        ):
            continue
        rows = zip(
            side.said.ldj[good].tolist(),
            side.exact.ldj[good].tolist(),
            side.exact.allowed[good].tolist(),
            strict=True,
        )
        for reported, exact, allowed in rows:
            yield reported, exact, allowed / CHANCE
