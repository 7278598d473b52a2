"""The total mass of exp(f), where f is quadratic or adds up over its variables.

A log-density has mass 1. Of a quadratic f it is known in closed form, and where f adds up
it is the product of integrals of one variable each. Of others it is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ldjcheck.densities.integral import log_integral

Function = Callable[[Tensor], Tensor]

_SAME = 1e-8  # relative: what rounding makes of numbers that are equal
_MOST_DIMS = 48  # that are integrated one by one
_MOST_MIXED = 24  # of a quadratic function whose dims mix
_FEW = 8  # variables that are asked about first
_FAR, _TOP = 1e6, 10.0  # so far out, exp(f) times the distance is no part of the mass
_NEAR = 8.0  # so far from 0 a mass is worked out
_NORMAL = math.log(2 * math.pi) / 2


def log_mass(f: Function, at: Tensor) -> tuple[Tensor, float] | None:
    """Return log of the integral of exp(f), `(batch,)`, and how far it may be off.

    `f` takes `(points, batch, dims)` and returns `(points, batch)`; `at` is a point,
    `(batch, dims)`. None where the integral is infinite, or cannot be taken.
    """
    generator = torch.Generator().manual_seed(0)
    here = f(at[None])[0]
    if not bool(torch.isfinite(here).all()):
        return None
    dims = at.shape[1]
    # A few points tell this, and each end of each dim is asked about only where it helps.
    is_sum = adds_up(f, at, generator)
    if (not is_sum and dims > _MOST_MIXED) or _reaches_far(f, at, here):
        return None
    if not is_sum:
        return _of_quadratic(f, at, here, generator)
    eye = torch.eye(dims, dtype=at.dtype)[:, None, :]
    one, less = f(at + eye), f(at - eye)
    two, less_two = f(at + 2 * eye), f(at - 2 * eye)
    curve, slope = one + less - 2 * here, (one - less) / 2
    odd, even = two - less_two - 4 * slope, two + less_two - 2 * here - 4 * curve
    is_quadratic = _is_small(odd, two, here) and _is_small(even, two, here)
    if is_quadratic and bool((curve < -_SAME).all()):
        each = slope**2 / (-2 * curve) + _NORMAL - (-curve).log() / 2
        return here + each.sum(0), 1e-9 * dims
    return _one_by_one(f, at, here, generator)


def near(at: Tensor) -> Tensor:
    """Return points no further than a mass is worked out from: far out digits are lost."""
    return at * (_NEAR / at.abs().amax(dim=1, keepdim=True).clamp(min=_NEAR))


def _reaches_far(f: Function, at: Tensor, here: Tensor) -> bool:
    """Return whether exp(f) does not fall off along some variable: its mass is infinite.

    What is no density mostly tells by the first of them.
    """
    steps = _FAR * torch.eye(at.shape[1], dtype=at.dtype)[:, None, :]
    for some in filter(len, (steps[:_FEW], steps[_FEW:])):
        ends = torch.stack([f(at + some), f(at - some)])
        if bool((ends + math.log(_FAR) > here + _TOP).any()):
            return True
    return False


def adds_up(f: Function, at: Tensor, generator: torch.Generator) -> bool:
    """Return whether f is a sum of functions of one variable each, which is tried."""
    batch, dims = at.shape
    nearer = torch.rand(batch, dims, generator=generator, dtype=at.dtype)
    other = at * (1 - nearer / 2)  # where f is known at one point, it is nearer to 0
    total = f(torch.stack([at, other])).sum(0)
    for _ in range(4):
        chosen = torch.rand(dims, generator=generator) < 0.5
        mixed = [torch.where(chosen, a, b) for a, b in ((at, other), (other, at))]
        values = f(torch.stack(mixed))
        if not _is_small(values.sum(0) - total, values, total):
            return False
    return True


def _is_small(off: Tensor, *beside: Tensor) -> bool:
    size = max(float(value.abs().max()) for value in beside)
    return bool((off.abs() <= _SAME * (1.0 + size)).all())


def _of_quadratic(
    f: Function, at: Tensor, here: Tensor, generator: torch.Generator
) -> tuple[Tensor, float] | None:
    batch, dims = at.shape
    eye = torch.eye(dims, dtype=at.dtype)
    one, less = f(at + eye[:, None, :]), f(at - eye[:, None, :])
    steps = (eye[:, None, :] + eye[None, :, :]).reshape(-1, 1, dims)
    both = f(at + steps).reshape(dims, dims, batch)
    hessian = both - one[:, None] - one[None, :] + here
    hessian.diagonal(dim1=0, dim2=1).copy_((one + less - 2 * here).mT)
    hessian, slope = hessian.permute(2, 0, 1), ((one - less) / 2).mT
    far = 2 * torch.randn(3, batch, dims, generator=generator, dtype=at.dtype)
    expected = (
        here
        + torch.einsum("pbi,bi->pb", far, slope)
        + torch.einsum("pbi,bij,pbj->pb", far, hessian, far) / 2
    )
    values = f(at + far)
    if not _is_small(values - expected, values, expected):
        return None
    low = torch.linalg.cholesky_ex(-hessian)
    if bool(low.info.any()):
        return None
    rest = torch.linalg.solve_triangular(low.L, slope[:, :, None], upper=False)
    width = low.L.diagonal(dim1=1, dim2=2).log().sum(1)
    return here + (rest**2).sum((1, 2)) / 2 + dims * _NORMAL - width, 1e-7 * dims


def _one_by_one(
    f: Function, at: Tensor, here: Tensor, generator: torch.Generator
) -> tuple[Tensor, float] | None:
    dims = at.shape[1]
    alike = _are_alike(f, at, generator)
    if alike:
        at = at[:, :1].expand_as(at)
        here = f(at[None])[0]
    elif dims > _MOST_DIMS:
        return None
    total = here.clone()
    for index in range(1 if alike else dims):

        def change(u: Tensor, index: int = index) -> Tensor:
            points = at.expand(u.shape[1], *at.shape).clone()
            points[:, :, index] = u.mT
            return (f(points) - here).mT

        found = log_integral(change, at[:, index])
        if found is None or not bool(torch.isfinite(found).all()):
            return None
        total = total + (dims if alike else 1) * found
    return total, 3e-4 * dims


def _are_alike(f: Function, at: Tensor, generator: torch.Generator) -> bool:
    """Return whether f does not ask which of its variables is which, which is tried."""
    other = at + torch.randn(at.shape, generator=generator, dtype=at.dtype)
    orders = [torch.randperm(at.shape[1], generator=generator) for _ in range(4)]
    values = f(torch.stack([other, *(other[:, order] for order in orders)]))
    return _is_small(values[1:] - values[0], values)
