"""The integral of the exponential of a function of one variable, wherever its peak is.

By the trapezoid rule after u = centre + width sinh(t), which reaches far and is fine near
the centre. A peak that is wider than that is taken from farther away, and one narrower
than the points are apart from nearer by; what lies outside must then be nothing beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_POINTS, _REACH = 361, 12.0  # t evenly between -12 and 12; sinh(12) = 81 377
_UNSEEN = 1e-4  # nats between half the points and all: more, and a peak is too narrow
_TAIL = -11.0  # nats: what the ends leave out, beside the whole
_WIDER, _WIDEST = 1e3, 1e24
_LOOKS = 24  # each brings the peak nearer by a factor of 10 at least
_NOTHING = -40.0  # nats below the peak
_BLURRED = 0.5  # nats that rounding may take off: more, and all points may look alike


def log_integral(f: Callable[[Tensor], Tensor | None], near: Tensor) -> Tensor | None:
    """Return log of the integral of exp(f(u)) over all u, `(batch,)`, one for each row.

    `f` takes `(batch, points)` and returns as much, or None where it cannot. None as well
    where the integral cannot be taken: there are more peaks than the narrow one, or edges.
    """
    t = torch.linspace(-_REACH, _REACH, _POINTS, dtype=torch.float64)
    cells = torch.log(torch.cosh(t) * (2 * _REACH / (_POINTS - 1)))
    centre, width = near.clone(), torch.ones_like(near)
    narrows = torch.zeros_like(near, dtype=torch.bool)
    seen: list[tuple[Tensor, Tensor]] = []
    found: Tensor | None = None
    for _ in range(_LOOKS):
        u = centre[:, None] + width[:, None] * torch.sinh(t)
        values = f(u)
        if values is None or bool(torch.isnan(values).any()):
            return found
        peak = values.argmax(dim=1).clamp(1, _POINTS - 2)[:, None]
        now, half = (
            torch.logsumexp((values + cells)[:, ::by], dim=1)
            + width.log()
            + math.log(by)
            for by in (1, 2)
        )
        ends = torch.maximum(values[:, 0], values[:, -1]) + width.log() + _REACH
        heavy = (ends - now > _TAIL) & ~narrows
        steep = ~heavy & ((now - half).abs() > _UNSEEN)
        heavy &= width < _WIDEST  # beyond, there is no end to it
        if not bool((steep | heavy).any()):
            lost = 8.0 * torch.finfo(torch.float64).eps * now.abs()
            is_blurred = narrows & (lost > _BLURRED)
            if bool(is_blurred.any()) or not _is_all(seen, u, values):
                return None
            return now
        found = None if bool(steep.any()) else now
        seen.append((u, values))
        between = (u.gather(1, peak + 1) - u.gather(1, peak - 1))[:, 0]
        centre = torch.where(steep, u.gather(1, peak)[:, 0], centre)
        width = torch.where(
            steep, between / torch.e, width * (1 + (_WIDER - 1) * heavy)
        )
        narrows |= steep
    return found


def _is_all(seen: list[tuple[Tensor, Tensor]], u: Tensor, values: Tensor) -> bool:
    """Return whether what the last points leave out is nothing beside their peak."""
    top = values.amax(dim=1)
    for there, known in seen:
        outside = (there < u[:, :1]) | (there > u[:, -1:])
        left = torch.where(outside, known, -torch.inf).amax(dim=1)
        if bool((left - top > _NOTHING).any()):
            return False
    return True
