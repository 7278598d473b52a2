"""What is true of a model, in a few lines that have no part in the package.

Everything is of the batch: `(batch,)` numbers in nats, in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


def draws(*shape: int, batch: int = 3) -> Tensor:
    """Return a batch of normal draws."""
    return torch.randn(batch, *shape, dtype=torch.float64)


def jacobians(run: Callable[[Tensor], Any], x: Tensor) -> Tensor:
    """Return each sample's dense Jacobian of a map; parts of its output are joined."""

    def flat(values: Tensor) -> Tensor:
        out = run(values)
        parts = [out] if isinstance(out, Tensor) else list(out)
        return torch.cat([part.flatten(1) for part in parts], dim=1)

    full = torch.autograd.functional.jacobian(flat, x)
    full = full.reshape(len(x), full.shape[1], len(x), -1)
    return torch.stack([full[i, :, i] for i in range(len(x))])


def log_abs_det(run: Callable[[Tensor], Any], x: Tensor) -> Tensor:
    """Return log|det dy/dx| of each sample."""
    return torch.linalg.slogdet(jacobians(run, x))[1]


def normal(z: Tensor, mean: Any = 0.0, log_std: Any = 0.0) -> Tensor:
    """Return log N(z) of each sample, summed over its dims."""
    log_std = torch.as_tensor(log_std, dtype=z.dtype)
    u = (z - mean) / log_std.exp()
    log_p = -0.5 * u**2 - log_std - 0.5 * math.log(2 * math.pi)
    return log_p.expand_as(z).flatten(1).sum(1)


def most(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Return the largest |reported - exact| of all pairs; inf for one of another shape."""
    worst = 0.0
    for reported, exact in pairs:
        if reported.shape != exact.shape:
            return math.inf
        off = (reported.detach() - exact.detach()).abs()
        worst = max(worst, float(off.nan_to_num(math.inf).max()))
    return worst


def off_both_ways(model: Any, x: Tensor) -> float:
    """Return how far a flow is off that has a way back, and a standard normal as its base."""
    z, ldj = model(x)
    exact = log_abs_det(lambda v: model(v)[0], x)
    back, ldj_back = model.inverse(z)
    density = model.log_prob(x), normal(z) + exact
    return most([(ldj, exact), (ldj_back, -exact), (back, x), density])


def under_seed(run: Callable[[], Any], seed: int = 5) -> Any:
    """Return what a call that draws comes to, the same every time."""
    torch.manual_seed(seed)
    return run()
