"""One direction as it was measured, or why there is none; and by what else it is judged."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.errors import NoBaseError
from ldjcheck.oracle.direction import measure_direction
from ldjcheck.records import Direction, Side
from ldjcheck.records.side import Exact
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner


def measured_side(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    bench: Bench,
    there: Tensor | None = None,
    *,
    said_alone: bool = False,
    noise: Frozen | None = None,
) -> Side:
    """Return both numbers of one direction at inputs `(batch, *event)`; nothing raises.

    With `there`, the Jacobian of the map that this one undoes, a map that has no derivative
    of its own is left unanchored. What is exact is not asked of what is `said_alone`. The
    `noise` that it draws may be given.
    """
    try:
        return measure_direction(
            runner,
            direction,
            x,
            bench.options,
            behaviour=bench.behaviour,
            there=there,
            apart=bench.apart,
            solves=said_alone or (bench.solves and there is not None),
            noise=noise,
        )
    except LayerRaisedError as error:
        if isinstance(error.error, NoBaseError):
            unseen = f"TypeError: {error.error}"
            return Side.absent(direction, unseen, (unseen,))
        raised = () if error.means_absent else error.lines
        return Side.absent(direction, str(error), raised)
    except UnexpectedReturnError as error:
        if error.is_unwritten and direction == "inverse":
            return Side.absent(direction, "it is not written yet: it returns None")
        return Side.absent(direction, str(error), (f"returned {error}",))


def judged_by(side: Side, other: Exact, allowed: Tensor | None) -> Exact:
    """Return what is true of a direction: minus what is of the other at the same point."""
    assert other.ldj is not None
    return replace(
        side.exact,
        ldj=-other.ldj,
        allowed=allowed,
        jacobian=None,
        shares=None if other.shares is None else -other.shares,
        structure=other.structure,
        method="preimage",
    )


def is_minus(side: Side, other: Side) -> bool:
    """Return whether what a direction reports is minus what is true of the other."""
    exact, allowed = other.exact, side.exact.allowed
    if side.said.ldj is None or allowed is None or exact.ldj is None:
        return False
    if exact.allowed is None or not exact.anchored:
        return False
    off = (side.said.ldj + exact.ldj).abs()
    return bool((off <= allowed + exact.allowed).all())


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
