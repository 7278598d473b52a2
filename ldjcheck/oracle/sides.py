"""One direction as it was measured, or why there is none; and whether its numbers part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.errors import NoBaseError
from ldjcheck.oracle.direction import measure_direction
from ldjcheck.records import Direction, Side
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError

if TYPE_CHECKING:
    from torch import Tensor

    from ldjcheck.running.bench import Bench
    from ldjcheck.running.runner import Runner


def measured_side(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    bench: Bench,
    there: Tensor | None = None,
) -> Side:
    """Return both numbers of one direction at inputs `(batch, *event)`; nothing raises.

    With `there`, the Jacobian of the map that this one undoes, a map that has no derivative
    of its own is left unanchored.
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
            solves=bench.solves and there is not None,
        )
    except LayerRaisedError as error:
        if isinstance(error.error, NoBaseError):
            unseen = f"TypeError: {error.error}"
            return Side.absent(direction, unseen, (unseen,))
        raised = () if error.means_absent else error.lines
        return Side.absent(direction, str(error), raised)
    except UnexpectedReturnError as error:
        return Side.absent(direction, str(error), (str(error),))


def judged_by(side: Side, other: Side, allowed: Tensor | None) -> Side:
    """Return a direction whose exact value is minus that of the other at the same point."""
    assert other.exact.ldj is not None
    return replace(
        side,
        exact=replace(
            side.exact,
            ldj=-other.exact.ldj,
            allowed=allowed,
            jacobian=None,
            shares=None if other.exact.shares is None else -other.exact.shares,
            structure=other.exact.structure,
            method="preimage",
        ),
    )
