"""Right layers with a way back in several statements: wrong ones are made of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Steps(nn.Module):
    """Elementwise, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.4, -0.3, 0.2, 0.6]))
        self.b = nn.Parameter(torch.tensor([0.5, 0.1, -0.7, 0.3]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = x * torch.exp(self.a)
        z = z + self.b
        ldj = self.a.sum() + torch.log(torch.cosh(z)).sum(1)
        z = torch.sinh(z)
        z = z / 3
        z = z - 0.5 * self.b
        return z, ldj - 4 * torch.log(torch.tensor(3.0)).to(z)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        z = z + 0.5 * self.b
        z = z * 3
        z = torch.asinh(z)
        ldj = -self.a.sum() - torch.log(torch.cosh(z)).sum(1)
        z = z - self.b
        x = z * torch.exp(-self.a)
        return x, ldj + 4 * torch.log(torch.tensor(3.0)).to(z)


class Coupling(nn.Module):
    """By halves."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        b = b * torch.exp(s)
        b = b + t
        return torch.cat([a, b], 1), s.sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = y.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        b = b - t
        b = b * torch.exp(-s)
        return torch.cat([a, b], 1), -s.sum(1)


class Masked(nn.Module):
    """By a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.tensor([1.0, 0.0, 1.0, 0.0]))
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.net(x * self.mask).chunk(2, 1)
        s = s * (1 - self.mask)
        t = t * (1 - self.mask)
        y = x * torch.exp(s)
        y = y + t
        return y, s.sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.net(y * self.mask).chunk(2, 1)
        s = s * (1 - self.mask)
        t = t * (1 - self.mask)
        x = y - t
        x = x / torch.exp(s)
        return x, -s.sum(1)


class Linear(nn.Module):
    """A matrix, a shift and a bend."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(4) + 0.1 * torch.ones(4, 4))
        self.bias = nn.Parameter(torch.tensor([0.4, -0.3, 0.2, 0.6]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = x @ self.weight
        z = z + self.bias
        y = F.softplus(z)
        logdet = torch.linalg.slogdet(self.weight)[1]
        return y, logdet + F.logsigmoid(z).sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        z = y + torch.log(-torch.expm1(-y))
        logdet = torch.linalg.slogdet(self.weight)[1]
        ldj = -logdet - F.logsigmoid(z).sum(1)
        z = z - self.bias
        x = z @ torch.linalg.inv(self.weight)
        return x, ldj


class Logit(nn.Module):
    """From the unit interval to the line."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = 0.1

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = x * (1 - self.alpha)
        z = z + 0.5 * self.alpha
        y = torch.log(z) - torch.log(1 - z)
        count = x.shape[1] * torch.log(torch.tensor(1 - self.alpha, dtype=x.dtype))
        return y, count - (torch.log(z) + torch.log(1 - z)).sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.sigmoid(y)
        count = y.shape[1] * torch.log(torch.tensor(1 - self.alpha, dtype=y.dtype))
        ldj = (torch.log(z) + torch.log(1 - z)).sum(1) - count
        z = z - 0.5 * self.alpha
        x = z / (1 - self.alpha)
        return x, ldj


class TwoHalves(nn.Module):
    """Two couplings, one after the other, each half conditioned by the other."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 4)
        self.second = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        s, t = self.first(a).chunk(2, 1)
        b = b * torch.exp(s)
        b = b + t
        u, v = self.second(b).chunk(2, 1)
        a = a * torch.exp(u)
        a = a - v
        return torch.cat([a, b], 1), s.sum(1) + u.sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = y.chunk(2, 1)
        u, v = self.second(b).chunk(2, 1)
        a = a + v
        a = a * torch.exp(-u)
        s, t = self.first(a).chunk(2, 1)
        b = b - t
        b = b * torch.exp(-s)
        return torch.cat([a, b], 1), -s.sum(1) - u.sum(1)
