"""Whether the way back undoes the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.records import Check, CheckStatus, DirectionMeasured
from ldjcheck.tolerance import SOLVER_RESIDUAL

if TYPE_CHECKING:
    from ldjcheck.records import Measurement, Unavailable, Verdict

_ANYWHERE = 1e-2  # relative to x


def round_trip_check(
    measurement: Measurement, forward: Verdict, inverse: Verdict
) -> Check:
    """Return how far there and back misses, and whether that is allowed.

    An ldj of the way back that is wrong makes a small miss a slip in the inverse rather
    than a solver's residual, unless forward's is wrong as well: then neither says so.
    """
    sides = [m.inverse for m in measurement.measured]
    ways = [
        s
        for s in sides
        if isinstance(s, DirectionMeasured) and s.round_trip is not None
    ]
    if not ways or ways[0] is not sides[0]:
        return Check(name="round-trip", direction=None, status="not-available")
    telling = [
        m.inverse
        for m in measurement.measured
        if isinstance(m.inverse, DirectionMeasured)
        and m.inverse.round_trip is not None
        and _tells(m.inverse, m.forward)
    ]
    first = max(telling or ways, key=_excess)
    worst, allowed = first.round_trip or 0.0, first.round_trip_allowed or 0.0
    agrees = not inverse.mismatched or forward.mismatched
    status: CheckStatus = "fail"
    if worst <= allowed:
        status = "pass"
    elif not telling or (worst <= SOLVER_RESIDUAL and agrees):
        status = "unproven"
    return Check(
        name="round-trip",
        direction=None,
        status=status,
        shape=tuple(first.x.shape[1:]),
        dims=first.x[0].numel(),
        dtype=first.dtype,
        tolerance=allowed,
        worst=worst,
    )


def _tells(side: DirectionMeasured, there: DirectionMeasured | Unavailable) -> bool:
    """Return whether the way back could miss by more than what rounding may cost.

    Where the map squeezes almost to nothing, rounding alone leads anywhere.
    """
    x = there.x if isinstance(there, DirectionMeasured) else side.y
    size = 1.0 + float(x.detach().abs().max())
    allowed = side.round_trip_allowed
    return allowed is not None and allowed <= _ANYWHERE * size


def _excess(side: DirectionMeasured) -> float:
    """Return by how many times the way back misses what is allowed."""
    if side.round_trip is None or side.round_trip_allowed is None:
        return 0.0
    return side.round_trip / max(side.round_trip_allowed, 1e-300)
