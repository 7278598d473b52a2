"""Layers with a sign, or a way back, as it was reported somewhere."""

from __future__ import annotations

import torch
from torch import nn


def conditioner(width: int, scale: float = 0.3) -> nn.Linear:
    layer = nn.Linear(width, 2 * width)
    nn.init.normal_(layer.weight, std=scale)
    return layer


class SubtractedTotal(nn.Module):
    """A chain that subtracts what its steps report, as if it ran the other way."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scales = nn.Parameter(0.3 * torch.randn(2, 4))

    def forward(self, x):
        log_det = torch.zeros(len(x))
        for log_scale in self.log_scales:
            x = torch.sinh(x * log_scale.exp())
            step = log_scale.sum() + 0.5 * torch.log1p(x**2).sum(-1)
            log_det = log_det - step
        return x, log_det


class AutoregressiveBothWaysNegative(nn.Module):
    """The sampling direction reports the log-det of the other one."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.dims = dims
        self.mean = nn.Parameter(0.5 * torch.randn(dims, dims))
        self.alpha = nn.Parameter(0.5 * torch.randn(dims, dims))

    def conditioned(self, x):
        before = torch.tril(torch.ones(self.dims, self.dims), -1)
        return x @ (self.mean * before).T, torch.tanh(x @ (self.alpha * before).T)

    def forward(self, x):
        mean, alpha = self.conditioned(x)
        return (x - mean) * torch.exp(-alpha), -alpha.sum(-1)

    def inverse(self, u):
        x = torch.zeros_like(u)
        for _ in range(self.dims):
            mean, alpha = self.conditioned(x)
            x = u * torch.exp(alpha) + mean
        return x, -alpha.sum(-1)


class BisectedInverse(nn.Module):
    """An inverse found by bisection hands on the log-det of the forward map."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.4))

    def forward(self, x):
        slope = torch.sigmoid(self.weight) + 0.2
        y = x + slope * torch.tanh(x)
        return y, torch.log1p(slope * (1 - torch.tanh(x) ** 2)).sum(-1)

    def inverse(self, y):
        low, high = y - 3, y + 3
        for _ in range(80):
            middle = (low + high) / 2
            above = self.forward(middle)[0] > y
            low, high = (
                torch.where(above, low, middle),
                torch.where(above, middle, high),
            )
        x = (low + high) / 2
        log_det = self.forward(x)[1]
        return x, log_det


class Standardise(nn.Module):
    """Division by a spread is reported as if it were a multiplication, both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.3, -1.0, 2.0]))
        self.register_buffer("spread", torch.tensor([0.5, 2.5, 1.7]))

    def forward(self, x):
        log_det = self.spread.log().sum().expand(len(x))
        return (x - self.mean) / self.spread, log_det

    def inverse(self, y):
        log_det = -self.spread.log().sum().expand(len(y))
        return y * self.spread + self.mean, log_det


class CentreAndScale(nn.Module):
    """One `log_s` serves both directions."""

    def __init__(self, s: float = 0.8) -> None:
        super().__init__()
        self.s = s

    def forward(self, x, inverse=False):
        log_s = torch.full_like(x, self.s).log()
        z = (
            (x - (1 - self.s) / 2) / self.s
            if inverse
            else x * self.s + (1 - self.s) / 2
        )
        return z, log_s.sum(-1)


class TwoPieces(nn.Module):
    """A monotone map in linear pieces; the way back keeps the sign of the way forth."""

    def __init__(self) -> None:
        super().__init__()
        self.log_slopes = nn.Parameter(torch.tensor([-0.4, 0.7]))

    def forward(self, x):
        log_slope = torch.where(x < 0, self.log_slopes[0], self.log_slopes[1])
        return x * log_slope.exp(), log_slope.sum(-1)

    def inverse(self, y):
        log_slope = torch.where(y < 0, self.log_slopes[0], self.log_slopes[1])
        return y * torch.exp(-log_slope), log_slope.sum(-1)


class HalvesThatMove(nn.Module):
    """Every other entry is taken, but halves are put together again."""

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.net = conditioner(dims // 2)

    def forward(self, x):
        fixed, moved = x[:, ::2], x[:, 1::2]
        log_scale, shift = self.net(fixed).chunk(2, -1)
        return torch.cat([fixed, moved * log_scale.exp() + shift], 1), log_scale.sum(1)

    def backward(self, z):
        fixed, moved = z[:, ::2], z[:, 1::2]
        log_scale, shift = self.net(fixed).chunk(2, -1)
        x = torch.cat([fixed, (moved - shift) * torch.exp(-log_scale)], 1)
        return x, -log_scale.sum(1)


class LooseEndOfTheUnitInterval(nn.Module):
    """The way back to [0, 1] leaves out the squeeze that the way forth has counted."""

    def __init__(self, alpha: float = 0.05) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, z, ldj, reverse=False):
        dims = z[0].numel()
        if not reverse:
            z = z * (1 - self.alpha) + 0.5 * self.alpha
            ldj = ldj + torch.tensor(1 - self.alpha).log() * dims
            ldj = ldj - (z.log() + (1 - z).log()).flatten(1).sum(1)
            z = z.log() - (1 - z).log()
        else:
            logistic = nn.functional.softplus(z) + nn.functional.softplus(-z)
            ldj = ldj - logistic.flatten(1).sum(1)
            z = (torch.sigmoid(z) - 0.5 * self.alpha) / (1 - self.alpha)
        return z, ldj
