"""Small flows whose log-determinants can be written down, for the tests to vary.

All are pairs, `f(x) -> (y, ldj)` with `.inverse(y) -> (x, ldj)`, on vectors of `(batch,
dims)`. A test that wants a mistake overrides one line of the right layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

Pair = tuple[Tensor, Tensor]

DIMS = 4


class Affine(nn.Module):
    """y = x * exp(a) + b, with log|det J| = sum(a)."""

    def __init__(self, dims: int = DIMS) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.6, 0.9, dims))
        self.shift = nn.Parameter(torch.linspace(1.0, -1.0, dims))

    def ldj(self, x: Tensor) -> Tensor:
        return self.log_scale.sum().expand(len(x))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_scale.exp() + self.shift, self.ldj(x)

    def inverse(self, y: Tensor) -> Pair:
        return (y - self.shift) * torch.exp(-self.log_scale), -self.ldj(y)


class Curve(nn.Module):
    """y = x + a * tanh(x), with log|det J| = sum(log(1 + a * (1 - tanh(x)**2)))."""

    def __init__(self, bend: float = 0.5) -> None:
        super().__init__()
        self.bend = bend

    def log_slope(self, x: Tensor) -> Tensor:
        return torch.log(1 + self.bend * (1 - torch.tanh(x) ** 2))

    def forward(self, x: Tensor) -> Pair:
        return x + self.bend * torch.tanh(x), self.log_slope(x).flatten(1).sum(1)


class Logit(nn.Module):
    """y = log(x / (1 - x)) on the unit interval, and the sigmoid back."""

    def forward(self, x: Tensor) -> Pair:
        ldj = -(torch.log(x) + torch.log1p(-x))
        return torch.log(x) - torch.log1p(-x), ldj.flatten(1).sum(1)

    def inverse(self, y: Tensor) -> Pair:
        x = torch.sigmoid(y)
        return x, (torch.log(x) + torch.log1p(-x)).flatten(1).sum(1)


class Coupling(nn.Module):
    """One half moves the other: y = (p, q * exp(a(p)) + t(p)), log|det J| = sum(a(p)).

    `scaled=False` leaves the scale out: an additive coupling, which keeps volumes.
    """

    def __init__(self, dims: int = DIMS, *, scaled: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        half = dims // 2
        self.net = nn.Sequential(nn.Linear(half, 6), nn.Tanh(), nn.Linear(6, 2 * half))
        self.scaled = scaled

    def conditioned(self, p: Tensor) -> Pair:
        a, t = self.net(p).chunk(2, dim=1)
        return (a if self.scaled else torch.zeros_like(a)), t

    def forward(self, x: Tensor) -> Pair:
        p, q = x.chunk(2, dim=1)
        a, t = self.conditioned(p)
        return torch.cat([p, q * torch.exp(a) + t], dim=1), a.sum(1)

    def inverse(self, y: Tensor) -> Pair:
        p, q = y.chunk(2, dim=1)
        a, t = self.conditioned(p)
        return torch.cat([p, (q - t) * torch.exp(-a)], dim=1), -a.sum(1)
