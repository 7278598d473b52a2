"""Dequantization noise, and whether x + u stays in the cell that rounding undoes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ldjcheck.measure.guard import Frozen
from ldjcheck.measure.runner import LayerRaisedError, UnexpectedReturnError

if TYPE_CHECKING:
    from torch import Tensor

    from ldjcheck.measure.runner import Runner
    from ldjcheck.records import DirectionMeasured

_RARELY = 0.25  # the share of entries at which learned noise may be off by one cell
_BEYOND = 0.25  # learned noise that is stretched a little leaves by less
_LINEAR = 1e-6  # how well u = c * draw + b must fit


def noise_range(
    runner: Runner, forward: DirectionMeasured, inverse: DirectionMeasured
) -> tuple[tuple[float, float], bool] | None:
    """Return the ends of the noise u where it leaves [0, 1), and whether that is all.

    u is what stands before rounding on the way back, less x. A noise that is shifted may
    as well be a way back that is. None where the way back is wrong by itself:
    it does not round down, or u is no noise.
    """
    if not inverse.rounding_seen:
        return None
    first = Frozen()
    seen = Frozen()
    try:
        there = runner.run("forward", forward.x, first)
        back = runner.run("inverse", there.y.detach(), seen, see_rounding=True)
    except (LayerRaisedError, UnexpectedReturnError):
        return None
    rounded = back.y.detach().double()
    x = forward.x.double()
    steps = [o.double() for o in seen.offsets if o.numel() == x.numel()]
    if not first.draws or rounded.shape != x.shape or not steps:
        return None
    down = sum(step.reshape(x.shape) for step in steps)
    assert isinstance(down, torch.Tensor)
    if not bool(((down > -1.0) & (down <= 0.0)).all()):
        return None  # it does not round down
    u = rounded - down - x
    off = rounded != x
    ends = float(u.min()), float(u.max())
    if not off.any() or not bool(torch.isfinite(u).all()):
        return None
    for draw in first.draws:
        if draw.numel() == u.numel() and (shift := _shift(u, draw)) is not None:
            return ends, abs(shift) <= _LINEAR
    near = ends[0] >= -_BEYOND and ends[1] <= 1.0 + _BEYOND
    rare = float(off.double().mean()) <= _RARELY
    return (ends, True) if near or rare else None


def _shift(u: Tensor, draw: Tensor) -> float | None:
    """Return b where u = c * draw + b with two numbers for all entries."""
    columns = torch.stack(
        [draw.double().reshape(-1), torch.ones(u.numel()).double()], 1
    )
    found = torch.linalg.lstsq(columns, u.reshape(-1, 1)).solution
    off = (columns @ found - u.reshape(-1, 1)).abs().max()
    fits = float(off) <= _LINEAR * (1.0 + float(u.abs().max()))
    return float(found[1]) if fits and float(found[0].abs()) > _LINEAR else None
