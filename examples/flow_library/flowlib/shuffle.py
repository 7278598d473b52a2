"""A fixed permutation of the entries."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Shuffle(nn.Module):
    """y[i] = x[p[i]], which changes no volume: log|det J| = 0."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.register_buffer("order", torch.arange(dims).roll(1))
        self.register_buffer("back", torch.arange(dims).roll(-1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `y` and the ldj (batch,), in nats."""
        return x[:, self.order], x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return `x` and the ldj of the way back (batch,), in nats."""
        return y[:, self.back], y.new_zeros(len(y))
