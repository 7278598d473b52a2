"""A Glow of two levels that is conditional on a class label, and asks Normal for densities."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from models.glow import squeeze


class ActNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_s = nn.Parameter(0.2 * torch.randn(1, channels, 1, 1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def ldj(self, x: Tensor) -> Any:
        return self.log_s.sum() * x.shape[2] * x.shape[3]

    def forward(self, x: Tensor, ldj: Tensor) -> Any:
        return x * self.log_s.exp() + self.shift, ldj + self.ldj(x)


class HeightAlone(ActNorm):
    def ldj(self, x: Tensor) -> Any:
        return self.log_s.sum() * x.shape[2]


class Coupling(nn.Module):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, 4)
        self.net = nn.Sequential(
            nn.Conv2d(channels // 2 + 4, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, channels, 3, padding=1),
        )

    def forward(self, x: Tensor, ldj: Tensor, y: Tensor) -> Any:
        a, b = x.chunk(2, dim=1)
        label = self.embedding(y)[:, :, None, None].expand(-1, -1, *a.shape[2:])
        log_s, shift = self.net(torch.cat([a, label], dim=1)).chunk(2, dim=1)
        log_s = torch.tanh(log_s)
        z = torch.cat([a, b * log_s.exp() + shift], dim=1)
        return z, ldj + self.ldj(log_s)

    def ldj(self, log_s: Tensor) -> Tensor:
        return log_s.flatten(1).sum(1)


class Averaged(Coupling):
    def ldj(self, log_s: Tensor) -> Tensor:
        return log_s.flatten(1).mean(1)


class LabelledGlow(nn.Module):
    def __init__(
        self,
        norm: type[ActNorm] = ActNorm,
        coupling: type[Coupling] = Coupling,
        classes: int = 10,
    ) -> None:
        super().__init__()
        self.first, self.second = norm(4), norm(8)
        self.below, self.above = coupling(4, classes), coupling(8, classes)
        self.prior = nn.Conv2d(2, 4, 3, padding=1)
        self.top = nn.Embedding(classes, 8)

    def of_split(self, kept: Tensor, left: Tensor) -> Any:
        mean, log_s = self.prior(kept).chunk(2, dim=1)
        return Normal(mean, log_s.exp()).log_prob(left).sum((1, 2, 3))

    def log_prob(self, x: Tensor, y: Tensor) -> Tensor:
        z, ldj = self.first(squeeze(x), x.new_zeros(len(x)))
        z, ldj = self.below(z, ldj, y)
        kept, left = z.chunk(2, dim=1)
        z, ldj = self.second(squeeze(kept), ldj)
        z, ldj = self.above(z, ldj, y)
        top = Normal(self.top(y)[:, :, None, None], 1.0).log_prob(z).sum((1, 2, 3))
        total: Tensor = top + self.of_split(kept, left) + ldj
        return total


class NoPrior(LabelledGlow):
    def of_split(self, kept: Tensor, left: Tensor) -> Any:
        return 0.0
