"""One direction as it was measured, or why there is none; and whether its numbers part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.errors import NoBaseError
from ldjcheck.oracle.direction import measure_direction
from ldjcheck.records import Direction, DirectionMeasured, Unavailable
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError

if TYPE_CHECKING:
    from ldjcheck.running.bench import Workshop
    from ldjcheck.running.runner import Runner


def measured_side(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    workshop: Workshop,
    there: Tensor | None = None,
) -> DirectionMeasured | Unavailable:
    """Return both numbers of one direction at inputs `(batch, *event)`; nothing raises.

    With `there`, the Jacobian of the map that this one undoes, a map that has no derivative
    of its own is left unanchored.
    """
    try:
        return measure_direction(
            runner,
            direction,
            x,
            workshop.options,
            behaviour=workshop.behaviour,
            there=there,
            apart=workshop.apart,
            solves=workshop.solves and there is not None,
        )
    except LayerRaisedError as error:
        if isinstance(error.error, NoBaseError):
            unseen = f"TypeError: {error.error}"
            return Unavailable(direction=direction, why=unseen, raised=(unseen,))
        raised = () if error.means_absent else error.lines
        return Unavailable(direction=direction, why=str(error), raised=raised)
    except UnexpectedReturnError as error:
        return Unavailable(direction=direction, why=str(error), raised=(str(error),))


def judged_by(
    side: DirectionMeasured, other: DirectionMeasured, allowed: Tensor | None
) -> DirectionMeasured:
    """Return a direction whose exact value is minus that of the other at the same point."""
    assert other.exact is not None
    return replace(
        side,
        exact=-other.exact,
        allowed=allowed,
        jacobian=None,
        shares=None if other.shares is None else -other.shares,
        structure=other.structure,
        method="preimage",
    )


def is_apart(side: DirectionMeasured) -> bool:
    """Return whether a sample's reported and exact value part by more than is allowed.

    A sample that has no finite exact value says nothing: its map has saturated there.
    """
    if side.reported is None or side.exact is None or side.allowed is None:
        return False
    off = (side.reported - side.exact).abs() > side.allowed
    return bool((off & torch.isfinite(side.exact)).any())
