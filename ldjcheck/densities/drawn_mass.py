"""The mass of exp(f) by weighted draws, where no integral of one variable tells it.

Draws are taken from a mixture of Student laws and weighted by exp(f) over their density;
those of the next round lie where the weights of the last one were. Their mean is the mass,
but for what lies where nothing was drawn (Cappe et al., 2004: population Monte Carlo).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

_MOST_DIMS = 12  # of more, the weights of a few draws outweigh all others
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
    if at.shape[1] > _MOST_DIMS:
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
