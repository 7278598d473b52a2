"""Maps that approximate what their ldj is of: the approximation's own error is allowed.

Asked where finer steps were seen to make the difference vanish.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from ldjcheck.records import Side

_ROOM = 1.01  # times what was seen


def approximated(side: Side, *, exactly: bool = False) -> Side:
    """Return a direction with all that it is off by allowed, as a value and as a way back.

    Where its ldj is to hold `exactly`, that is of the way back alone.
    """
    difference, exact, trip = side.difference, side.exact, side.round_trip
    if (
        not exactly
        and side.disagrees
        and difference is not None
        and exact.allowed is not None
    ):
        allowed = torch.maximum(exact.allowed, _ROOM * difference.abs())
        exact = replace(exact, allowed=allowed, approximate=True)
    if trip.misses and trip.off is not None and trip.off != math.inf:
        trip = replace(trip, allowed=_ROOM * trip.off, nears=True)
        exact = replace(exact, approximate=True)
    return replace(side, exact=exact, round_trip=trip)
