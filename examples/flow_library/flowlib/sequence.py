"""Layers one after the other."""

from __future__ import annotations

from torch import Tensor, nn


class Sequence(nn.Module):
    """The composition of layers: their log-determinants add up."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `y` and the ldj (batch,), in nats."""
        total = x.new_zeros(len(x))
        for layer in self.layers:
            x, ldj = layer(x)
            total = total + ldj
        return x, total

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return `x` and the ldj of the way back (batch,), in nats."""
        total = y.new_zeros(len(y))
        for layer in reversed(self.layers):
            y, ldj = layer.inverse(y)
            total = total + ldj
        return y, total
