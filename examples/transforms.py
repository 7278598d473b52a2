"""A transform in the manner of torch.distributions: vectors with increasing entries."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Transform, constraints


class IncreasingVector(constraints.Constraint):
    """Vectors whose entries strictly increase."""

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        """Return, for each vector, whether its entries increase: shape `(batch,)`."""
        return (value.diff(dim=-1) > 0).all(dim=-1)


class Increasing(Transform):
    """Turn any vector into one with strictly increasing entries.

    The first entry is kept, the others say by how much to go up::

        y[0] = x[0]
        y[i] = y[i - 1] + exp(x[i])
        log|det dy/dx| = x[1] + ... + x[D - 1]

    The Jacobian is triangular; its diagonal is 1, exp(x[1]), ..., exp(x[D - 1]).
    """

    domain = constraints.real_vector
    codomain = IncreasingVector()
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        """Return `y` of the shape of `x`, `(*batch, D)`."""
        steps = torch.cat([x[..., :1], torch.exp(x[..., 1:])], dim=-1)
        return steps.cumsum(dim=-1)

    def _inverse(self, y: Tensor) -> Tensor:
        """Return `x` of the shape of `y`, `(*batch, D)`."""
        return torch.cat([y[..., :1], torch.log(y.diff(dim=-1))], dim=-1)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log|det dy/dx| of each vector: shape `(*batch,)`, in nats."""
        return x[..., 1:].sum(dim=-1)
