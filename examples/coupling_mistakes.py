"""A coupling layer with a mistake that its zero-initialised network hides."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FlippedSign(nn.Module):
    """Subtract the log-scales where they have to be added, and the other way round.

    The network starts at zero, so log|det J| is 0 and so is the ldj, whatever its sign.
    Both directions are flipped, so their sum is zero after training as well.
    """

    def __init__(self, channels: int = 2, height: int = 4, width: int = 5) -> None:
        super().__init__()
        last = nn.Conv2d(8, 2 * channels, kernel_size=3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        first = nn.Conv2d(channels, 8, kernel_size=3, padding=1)
        self.network = nn.Sequential(first, nn.SiLU(), last)
        self.log_bound = nn.Parameter(torch.zeros(channels))
        rows, columns = torch.arange(height), torch.arange(width)
        board = (rows[:, None] + columns[None, :]) % 2
        self.register_buffer("mask", board.to(torch.float32)[None, None])

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Return the moved `z` and the running total `ldj` (batch,), in nats."""
        a, t = self.network(z * self.mask).chunk(2, dim=1)
        bound = self.log_bound.exp().view(1, -1, 1, 1)
        a = bound * torch.tanh(a / bound) * (1 - self.mask)
        t = t * (1 - self.mask)
        if not reverse:
            z = z * torch.exp(a) + t
            ldj -= a.sum(dim=[1, 2, 3])
        else:
            z = (z - t) * torch.exp(-a)
            ldj += a.sum(dim=[1, 2, 3])
        return z, ldj
