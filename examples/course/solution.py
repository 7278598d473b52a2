"""Sheet 3, solved."""

import torch
from torch import Tensor, nn


class Scale(nn.Module):
    """y = x * exp(log_scale), for every dim its own scale."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.7, dims))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        ldj = self.log_scale.sum().expand(len(x))
        return x * self.log_scale.exp(), ldj

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        ldj = -self.log_scale.sum().expand(len(y))
        return y * (-self.log_scale).exp(), ldj


class Coupling(nn.Module):
    """The first half of the dims scales and shifts the second."""

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(dims // 2, 16), nn.Tanh(), nn.Linear(16, dims)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        log_scale, shift = self.net(a).chunk(2, dim=1)
        b = b * log_scale.exp() + shift
        return torch.cat([a, b], dim=1), log_scale.sum(dim=1)
