"""The integral of the exponential of a function of one variable, wherever its peak is.

By the trapezoid rule after u = centre + width sinh(pi / 2 sinh(t)), which reaches as far as
the tails of any law and is fine near the centre (Takahasi and Mori, 1974). A peak that is
wider than that is taken from farther away, and one narrower than the points are apart from
nearer by; what lies outside must then be nothing beside it. Where f is minus infinity but in
an interval, its ends are found by halving, and the points crowd at both.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

_POINTS, _REACH = 361, 4.0  # t evenly between -4 and 4, u as far as 1e18
_UNSEEN = 1e-4  # nats between half the points and all: more, and a peak is too narrow
_TAIL = -11.0  # nats: what the ends leave out, beside the whole
_WIDER, _WIDEST = 1e3, 1e24
_WIDE = 10.0  # times as wide as it was taken to be
_LOOKS = 24  # each brings the peak nearer by a factor of 10 at least
_NOTHING = -40.0  # nats below the peak
_BLURRED = 0.5  # nats that rounding may take off: more, and all points may look alike
_HALVINGS = 60  # until an end is known to all digits
_INSIDE = (
    3.2  # t evenly between these: the last points are 1e-16 of the length from an end
)


def log_integral(f: Callable[[Tensor], Tensor | None], near: Tensor) -> Tensor | None:
    """Return log of the integral of exp(f(u)) over all u, `(batch,)`, one for each row.

    `f` takes `(batch, points)` and returns as much, or None where it cannot. None as well
    where the integral cannot be taken: there are more peaks than the narrow one, or gaps.
    """
    found = _over_all(f, near)
    return _inside_an_interval(f, near) if found is None else found


def _over_all(f: Callable[[Tensor], Tensor | None], near: Tensor) -> Tensor | None:
    steps, cells = _far_and_fine()
    centre, width = near.clone(), torch.ones_like(near)
    narrows = torch.zeros_like(near, dtype=torch.bool)
    seen: list[tuple[Tensor, Tensor]] = []
    found: Tensor | None = None
    for _ in range(_LOOKS):
        u = centre[:, None] + width[:, None] * steps
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
        ends = (values + cells)[:, [0, -1]].amax(1) + width.log()
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
        top, share = u.gather(1, peak), torch.softmax(values + cells, dim=1)
        far, order = (u - top).abs().sort(dim=1)
        inner_half = (share.gather(1, order).cumsum(1) < 0.5).sum(1, keepdim=True)
        half_width = far.gather(1, inner_half.clamp(max=_POINTS - 1))[:, 0]
        nearer = torch.where(half_width > _WIDE * width, half_width, between / torch.e)
        centre = torch.where(steep, top[:, 0], centre)
        width = torch.where(steep, nearer, width * (1 + (_WIDER - 1) * heavy))
        narrows |= steep
    return found


def _far_and_fine() -> tuple[Tensor, Tensor]:
    """Return points about 0, and log of how much of the line belongs to each, `(points,)`."""
    t = torch.linspace(-_REACH, _REACH, _POINTS, dtype=torch.float64)
    inner = torch.pi / 2 * torch.sinh(t)
    slope = torch.pi / 2 * torch.cosh(t) * torch.cosh(inner)
    return torch.sinh(inner), torch.log(slope * (2 * _REACH / (_POINTS - 1)))


def _inside_an_interval(
    f: Callable[[Tensor], Tensor | None], near: Tensor
) -> Tensor | None:
    """Return the integral where f is minus infinity outside of one interval, `(batch,)`."""
    u = near[:, None] + _far_and_fine()[0]
    values = f(u)
    if values is None or not bool((values[:, [0, -1]] == -torch.inf).all()):
        return None
    known = values > -torch.inf
    index = torch.arange(u.shape[1])
    first = torch.where(known, index, u.shape[1]).amin(1, keepdim=True)
    last = torch.where(known, index, -1).amax(1, keepdim=True)
    if bool((last - first + 1 != known.sum(1, keepdim=True)).any()):
        return None  # there is nothing, or a gap
    inner = torch.cat([u.gather(1, first), u.gather(1, last)], dim=1)
    outer = torch.cat([u.gather(1, first - 1), u.gather(1, last + 1)], dim=1)
    for _ in range(_HALVINGS):
        middle = (inner + outer) / 2
        there = f(middle)
        if there is None:
            return None
        inner = torch.where(there > -torch.inf, middle, inner)
        outer = torch.where(there > -torch.inf, outer, middle)
    t = torch.linspace(-_INSIDE, _INSIDE, _POINTS, dtype=torch.float64)
    share = torch.sigmoid(torch.pi * torch.sinh(t))
    length = (inner[:, 1:] - inner[:, :1]).clamp(min=torch.finfo(torch.float64).tiny)
    within = f(inner[:, :1] + length * share)
    if within is None or bool(torch.isnan(within).any()):
        return None
    slope = share * (1 - share) * torch.pi * torch.cosh(t)
    cells = (slope * (2 * _INSIDE / (_POINTS - 1))).log() + length.log()
    now, half = (
        torch.logsumexp((within + cells)[:, ::by], dim=1) + math.log(by)
        for by in (1, 2)
    )
    return now if bool(((now - half).abs() <= _UNSEEN).all()) else None


def _is_all(seen: list[tuple[Tensor, Tensor]], u: Tensor, values: Tensor) -> bool:
    """Return whether what the last points leave out is nothing beside their peak."""
    top = values.amax(dim=1)
    for there, known in seen:
        outside = (there < u[:, :1]) | (there > u[:, -1:])
        left = torch.where(outside, known, -torch.inf).amax(dim=1)
        if bool((left - top > _NOTHING).any()):
            return False
    return True
