"""Fixed whitening of the data."""

from __future__ import annotations

import math

from torch import Tensor, nn


class Whiten(nn.Module):
    """y = (x - mean) / deviation, with log|det J| = -D * log(deviation).

    The way back is for samples only and reports no ldj.
    """

    def __init__(self, mean: float = 0.5, deviation: float = 0.25) -> None:
        super().__init__()
        self.mean = mean
        self.deviation = deviation

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `y` and the ldj (batch,), in nats."""
        dims = math.prod(x.shape[1:])
        ldj = x.new_full((len(x),), -dims * math.log(self.deviation))
        return (x - self.mean) / self.deviation, ldj

    def inverse(self, y: Tensor) -> tuple[Tensor, None]:
        """Return `x`."""
        return y * self.deviation + self.mean, None
