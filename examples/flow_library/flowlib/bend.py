"""A map without a formula for its inverse."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Bend(nn.Module):
    """y = x + x**3 / 3, with log|det J| = sum(log(1 + x**2)).

    The way back takes three steps of Newton's method, which is good enough to draw
    samples, and not more: x is off by about 1e-2. It reports no ldj.
    """

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `y` and the ldj (batch,), in nats."""
        return x + x**3 / 3, torch.log1p(x**2).sum(dim=1)

    def inverse(self, y: Tensor) -> tuple[Tensor, None]:
        """Return an approximate `x`."""
        x = y
        for _ in range(3):
            x = x - (x + x**3 / 3 - y) / (1 + x**2)
        return x, None
