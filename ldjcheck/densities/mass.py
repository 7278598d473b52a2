"""The total mass of exp(f): quadratic, added up over variables, or by weighted draws.

A log-density has mass 1. Of a quadratic f it is known in closed form, and where f adds up
it is the product of integrals of one variable each. Of others draws may tell it: they are
taken from a mixture of Student laws and weighted by exp(f) over their density; those of
the next round lie where the weights of the last one were. Their mean is the mass, but for
what lies where nothing was drawn (Cappe et al., 2004: population Monte Carlo).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ldjcheck.densities.integral import log_integral

_MOST_DRAWN = 12  # of more, the weights of a few draws outweigh all others
_DRAWS, _ROUNDS = 2048, 4  # before the last
_LAST = 32768  # draws
_CENTRES = 24  # of the mixture, beside the wide ones
_FREEDOM = 4  # degrees, of the Student laws: their tails are heavier than most
_WIDTHS = (1.0, 4.0, 16.0)
_SHARES = 0.2, 0.3, 0.5  # of draws: everywhere, about the mean, about draws of before
_SURE = 0.02  # nats: a standard error that tells a mass from 1
_CHANCE = 6.0  # standard errors


def drawn_log_mass(
    f: Callable[[Tensor], Tensor], at: Tensor
) -> tuple[Tensor | None, bool, float]:
    """Return log of the mass of exp(f), `(batch,)`, whether it may be 1, and its error.

    `f` takes `(points, batch, dims)` and returns `(points, batch)`; `at` is a point. None
    where the draws do not tell it, and where they find less than 1: the rest may lie where
    none was drawn.
    """
    if at.shape[1] > _MOST_DRAWN:
        return None, False, 0.0
    generator = torch.Generator().manual_seed(0)
    law = _first(at)
    for count in (*[_DRAWS] * _ROUNDS, _LAST):
        points = law.draws(count, generator)  # (points, batch, dims)
        log_weights = f(points) - law.log_density(points)
        weights = torch.softmax(log_weights, 0)
        if not bool(torch.isfinite(weights).all()):
            return None, False, 0.0
        if count != _LAST:
            law = _next(at, points, weights, generator)
    log = torch.logsumexp(log_weights, 0) - math.log(_LAST)
    errors = (log_weights - log).exp().std(0) / math.sqrt(_LAST)
    error = _CHANCE * float(errors.max())
    if not error <= _CHANCE * _SURE or bool((log < -error).any()):
        return None, False, 0.0
    return log, bool((log <= error).all()), error


class _Mixture(NamedTuple):
    """A mixture of Student laws for each sample; its shares are those of all of them."""

    centres: Tensor  # (batch, laws, dims)
    scales: Tensor  # (batch, laws, dims, dims), lower triangular
    shares: Tensor  # (laws,)

    def draws(self, count: int, generator: torch.Generator) -> Tensor:
        """Return draws, `(points, batch, dims)`: of each law as many as its share."""
        batch, _, dims = self.centres.shape
        which = torch.multinomial(
            self.shares, count, replacement=True, generator=generator
        )
        normal = torch.randn(
            count, batch, dims, generator=generator, dtype=torch.float64
        )
        more = torch.randn(count, batch, _FREEDOM, generator=generator).double()
        drawn = normal * ((_FREEDOM / (more**2).sum(2)) ** 0.5)[:, :, None]
        scaled = torch.einsum("bnij,nbj->nbi", self.scales[:, which], drawn)
        return self.centres[:, which].movedim(1, 0) + scaled

    def log_density(self, points: Tensor) -> Tensor:
        """Return its log-density, `(points, batch)`."""
        dims, nu = points.shape[2], _FREEDOM
        off = (points[:, :, None] - self.centres).movedim(0, 3)
        u = torch.linalg.solve_triangular(self.scales, off, upper=False)
        constant = math.lgamma((nu + dims) / 2) - math.lgamma(nu / 2)
        constant -= dims / 2 * math.log(nu * math.pi)
        each = constant - (nu + dims) / 2 * torch.log1p((u**2).sum(2) / nu)
        widths = self.scales.diagonal(dim1=2, dim2=3).abs().log().sum(2)
        each = each - widths[:, :, None] + self.shares.log()[:, None]
        return torch.logsumexp(each, dim=1).mT


def _first(at: Tensor) -> _Mixture:
    batch, dims = at.shape
    eye = torch.eye(dims, dtype=torch.float64)
    wide = torch.stack([width * eye for width in (*_WIDTHS, 1.0)])
    centres = torch.stack([*[at * 0] * len(_WIDTHS), at], dim=1)
    scales = wide.expand(batch, *wide.shape)
    shares = torch.full((len(wide),), 1 / len(wide), dtype=torch.float64)
    return _Mixture(centres, scales, shares)


def _next(
    at: Tensor, points: Tensor, weights: Tensor, generator: torch.Generator
) -> _Mixture:
    """Return a mixture that lies where the weights of the last draws were."""
    batch, dims = at.shape
    eye = torch.eye(dims, dtype=torch.float64)
    chosen = torch.multinomial(
        weights.mT, _CENTRES, replacement=True, generator=generator
    )
    kept = points.gather(0, chosen.mT[:, :, None].expand(_CENTRES, batch, dims))
    mean = (weights[:, :, None] * points).sum(0)
    off = points - mean
    spread = torch.einsum("nb,nbi,nbj->bij", weights, off, off)
    spread = torch.linalg.cholesky_ex(spread + 1e-9 * eye).L[:, None]
    narrow = spread * (1.2 * _CENTRES ** (-1 / (dims + 4)))
    wide = torch.stack([width * eye for width in _WIDTHS])
    centres = torch.cat(
        [torch.stack([at * 0] * len(_WIDTHS), 1), mean[:, None], kept.movedim(0, 1)], 1
    )
    scales = torch.cat(
        [
            wide.expand(batch, *wide.shape),
            1.3 * spread,
            narrow.expand(batch, _CENTRES, dims, dims),
        ],
        dim=1,
    )
    counts = len(_WIDTHS), 1, _CENTRES
    shares = [
        torch.full((count,), share / count)
        for share, count in zip(_SHARES, counts, strict=True)
    ]
    return _Mixture(centres, scales, torch.cat(shares).double())


# --- in closed form, or dim by dim ----------------------------------------------------

Function = Callable[[Tensor], Tensor]

_SAME = 1e-8  # relative: what rounding makes of numbers that are equal
_MOST_DIMS = 48  # that are integrated one by one
_MOST_MIXED = 24  # of a quadratic function whose dims mix
_FEW = 8  # variables that are asked about first
_FAR, _TOP = 1e6, 10.0  # so far out, exp(f) times the distance is no part of the mass
_NEAR = 8.0  # so far from 0 a mass is worked out
_NORMAL = math.log(2 * math.pi) / 2
_TURNS = 2 * math.pi, 1.0  # of an angle
_STEPS = 512  # of a turn


def log_mass(
    f: Function, at: Tensor, *, may_turn: bool = False
) -> tuple[Tensor, float] | None:
    """Return log of the integral of exp(f), `(batch,)`, and how far it may be off.

    `f` takes `(points, batch, dims)` and returns `(points, batch)`; `at` is a point,
    `(batch, dims)`. None where the integral is infinite, or cannot be taken. What comes
    back with each turn may be integrated over one: the variable is an angle.
    """
    generator = torch.Generator().manual_seed(0)
    here = f(at[None])[0]
    if not bool(torch.isfinite(here).all()):
        return None
    dims = at.shape[1]
    # A few points tell this, and each end of each dim is asked about only where it helps.
    is_sum = adds_up(f, at, generator)
    parabolas = _of_parabolas(f, at, generator) if is_sum else None
    if parabolas is not None:
        return parabolas
    if not is_sum and dims > _MOST_MIXED:
        return None
    if _reaches_far(f, at):
        turns = _turns(f, at, here) if is_sum and may_turn else torch.zeros(dims)
        if _reaches_far(f, at, beside=turns):
            return None
        return _one_by_one(f, at, here, generator, turns)
    if not is_sum:
        return _of_quadratic(f, at, here, generator)
    return _one_by_one(f, at, here, generator, torch.zeros(dims))


def log_mass_at_any(density: Function, x: Tensor) -> tuple[float, float] | None:
    """Return log of the mass of a density of events, and how far it may be off; or None.

    `density` takes `(batch, *event)` and returns `(batch,)`; `x` is of one event or more.
    """
    at = near(x[:1].detach().double().reshape(1, -1))

    def f(points: Tensor) -> Tensor:
        rows = points.reshape(-1, *x.shape[1:])
        return density(rows).detach().double().reshape(points.shape[:2])

    with torch.no_grad():
        found = log_mass(f, at)
        if found is None:
            log, _, error = drawn_log_mass(f, at)
            found = None if log is None else (log, error)
    return None if found is None else (float(found[0][0]), found[1])


def near(at: Tensor) -> Tensor:
    """Return points no further than a mass is worked out from: far out digits are lost."""
    return at * (_NEAR / at.abs().amax(dim=1, keepdim=True).clamp(min=_NEAR))


def far_out(f: Function, at: Tensor, along: Tensor | None = None) -> Tensor:
    """Return f far out along each variable, or some, less f here, `(2 * dims, batch)`."""
    along = torch.eye(at.shape[1], dtype=at.dtype) if along is None else along
    steps = _FAR * along[:, None, :]
    return torch.cat([f(at + steps), f(at - steps)]) - f(at[None])


def is_without_end(far: Tensor) -> bool:
    """Return whether what is so much larger or smaller far out has an infinite mass."""
    return bool((far + math.log(_FAR) > _TOP).any())


def _reaches_far(f: Function, at: Tensor, beside: Tensor | None = None) -> bool:
    """Return whether exp(f) does not fall off along some variable: its mass is infinite.

    What is no density mostly tells by the first of them. Those that turn stand `beside`.
    """
    along = torch.eye(at.shape[1], dtype=at.dtype)
    along = along if beside is None else along[beside == 0]
    some = filter(len, (along[:_FEW], along[_FEW:]))
    return any(is_without_end(far_out(f, at, each)) for each in some)


def _turns(f: Function, at: Tensor, here: Tensor) -> Tensor:
    """Return what f comes back after in each variable, `(dims,)`; 0 where in nothing."""
    dims = at.shape[1]
    eye = torch.eye(dims, dtype=at.dtype)[:, None, :]
    beside, found = f(at + eye / 3), torch.zeros(dims, dtype=at.dtype)
    for turn in _TURNS:
        again, beside_again = f(at + turn * eye), f(at + (turn + 1 / 3) * eye)
        for index in range(dims):
            offs = again[index] - here, beside_again[index] - beside[index]
            is_back = _is_small(torch.stack(offs), here)
            if is_back and not _is_small(beside[index] - here, here):
                found[index] = turn
    return found


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
    same = max(_SAME, 8 * torch.finfo(off.dtype).eps)
    return bool((off.abs() <= same * (1.0 + size)).all())


def _of_parabolas(
    f: Function, at: Tensor, generator: torch.Generator
) -> tuple[Tensor, float] | None:
    """Return what a sum of parabolas, one in each variable, has as its mass.

    Two gradients tell them all; values elsewhere, that it is they and no others. They are
    taken at the top, which the first two lead to: far from it digits are lost.
    """
    try:
        for _ in range(2):
            slope = _slopes(f, at)
            curve = _slopes(f, at + 1) - slope
            if not bool((curve < -_SAME).all()):
                return None
            at = at - slope / curve
    except RuntimeError:  # no gradient goes through it
        return None
    here, slope = f(at[None])[0], _slopes(f, at)
    away = torch.randn(4, *at.shape, generator=generator, dtype=at.dtype)
    away *= torch.tensor([1.0, 2.0, 8.0, 64.0], dtype=at.dtype)[:, None, None]
    expected = here + (away * slope + away**2 * curve / 2).sum(-1)
    values = f(at + away)
    if not all(map(_is_small, values - expected, values, expected)):
        return None
    each = slope**2 / (-2 * curve) + _NORMAL - (-curve).log() / 2
    return here + each.sum(1), 1e-9 * at.shape[1]


def _slopes(f: Function, at: Tensor) -> Tensor:
    """Return the gradient of f at one point of each sample, `(batch, dims)`."""
    with torch.enable_grad():
        points = at.detach()[None].requires_grad_()
        (slope,) = torch.autograd.grad(f(points).sum(), points)
    return slope[0].detach()


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
    f: Function, at: Tensor, here: Tensor, generator: torch.Generator, turns: Tensor
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

        turn, near = float(turns[index]), at[:, index]
        found = _over_a_turn(change, near, turn) if turn else log_integral(change, near)
        if found is None or not bool(torch.isfinite(found).all()):
            return None
        total = total + (dims if alike else 1) * found
    return total, 3e-4 * dims


def _over_a_turn(f: Function, at: Tensor, turn: float) -> Tensor:
    """Return log of the integral of exp(f) over a turn: equal steps leave no error there."""
    steps = torch.arange(_STEPS, dtype=at.dtype) * (turn / _STEPS)
    return torch.logsumexp(f(at[:, None] + steps), dim=1) + math.log(turn / _STEPS)


def _are_alike(f: Function, at: Tensor, generator: torch.Generator) -> bool:
    """Return whether f does not ask which of its variables is which, which is tried."""
    other = at + torch.randn(at.shape, generator=generator, dtype=at.dtype)
    orders = [torch.randperm(at.shape[1], generator=generator) for _ in range(4)]
    values = f(torch.stack([other, *(other[:, order] for order in orders)]))
    return _is_small(values[1:] - values[0], values)
