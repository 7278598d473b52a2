"""A first flow layer of two dims, as one writes it: with a mistake in its ldj."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Coupling(nn.Module):
    """One half says how the other is scaled and shifted: y = (p, q * exp(s) + t)."""

    def __init__(self, dims: int = 2, hidden: int = 4) -> None:
        super().__init__()
        half = dims // 2
        self.net = nn.Sequential(
            nn.Linear(half, hidden), nn.Tanh(), nn.Linear(hidden, dims)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return y, and log|det dy/dx| of each sample."""
        p, q = x.chunk(2, dim=1)
        s, t = self.net(p).chunk(2, dim=1)
        q = q * torch.exp(s) + t
        ldj = -s.sum(dim=1)
        return torch.cat([p, q], dim=1), ldj

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return x, and log|det dx/dy| of each sample."""
        p, q = y.chunk(2, dim=1)
        s, t = self.net(p).chunk(2, dim=1)
        q = (q - t) * torch.exp(-s)
        ldj = -s.sum(dim=1)
        return torch.cat([p, q], dim=1), ldj
