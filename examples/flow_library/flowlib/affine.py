"""A scale and a shift for each entry."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Affine(nn.Module):
    """y = x * exp(a) + b, so that log|det J| = sum(a)."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(0.1 * torch.randn(dims))
        self.shift = nn.Parameter(torch.zeros(dims))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `y` and the ldj (batch,), in nats."""
        ldj = self.log_scale.sum().expand(len(x))
        return x * self.log_scale.exp() + self.shift, ldj

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return `x` and the ldj of the way back (batch,), in nats."""
        ldj = -self.log_scale.sum().expand(len(y))
        return (y - self.shift) * torch.exp(-self.log_scale), ldj
