"""An affine coupling layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Coupling(nn.Module):
    """The first half says how the second half is scaled and shifted.

    The last layer of the network starts at zero, and with it the whole layer as the
    identity: at its initial values every formula for the ldj is right.
    """

    def __init__(self, dims: int, hidden: int = 8) -> None:
        super().__init__()
        self.kept = dims // 2
        moved = dims - self.kept
        last = nn.Linear(hidden, 2 * moved)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.net = nn.Sequential(nn.Linear(self.kept, hidden), nn.Tanh(), last)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `y` and the ldj (batch,), in nats."""
        kept, moved = x[:, : self.kept], x[:, self.kept :]
        log_scale, shift = self.net(kept).chunk(2, dim=1)
        y = torch.cat([kept, moved * log_scale.exp() + shift], dim=1)
        return y, log_scale.sum(dim=1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return `x` and the ldj of the way back (batch,), in nats."""
        kept, moved = y[:, : self.kept], y[:, self.kept :]
        log_scale, shift = self.net(kept).chunk(2, dim=1)
        x = torch.cat([kept, (moved - shift) * torch.exp(-log_scale)], dim=1)
        return x, -log_scale.sum(dim=1)
