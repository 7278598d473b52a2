"""A small Glow of two levels, whose prior at the split is learned from what is kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class ActNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_s = nn.Parameter(0.2 * torch.randn(1, channels, 1, 1))
        self.shift = nn.Parameter(0.2 * torch.randn(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Any:
        pixels = x.shape[2] * x.shape[3]
        return (x + self.shift) * self.log_s.exp(), self.log_s.sum() * pixels


class Mix(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        turned = torch.linalg.qr(torch.randn(channels, channels))[0]
        self.weight = nn.Parameter(turned + 0.1 * torch.randn(channels, channels))

    def forward(self, x: Tensor) -> Any:
        ldj = torch.slogdet(self.weight)[1] * x.shape[2] * x.shape[3]
        return functional.conv2d(x, self.weight[:, :, None, None]), ldj


class Coupling(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels // 2, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Any:
        a, b = x.chunk(2, dim=1)
        t, raw = self.net(a).chunk(2, dim=1)
        log_s = functional.logsigmoid(raw + 2.0)
        return torch.cat([a, (b + t) * log_s.exp()], dim=1), log_s.sum(dim=(1, 2, 3))


class Step(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(
            [ActNorm(channels), Mix(channels), Coupling(channels)]
        )

    def forward(self, x: Tensor) -> Any:
        total = x.new_zeros(len(x))
        for part in self.parts:
            x, ldj = part(x)
            total = total + ldj
        return x, total


def squeeze(x: Tensor) -> Tensor:
    return functional.pixel_unshuffle(x, 2)


class Prior(nn.Module):
    """The density of what leaves, given what is kept."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 2 * channels, 3, padding=1)

    def density(self, z: Tensor, mean: Tensor, log_s: Tensor) -> Tensor:
        u = (z - mean) * torch.exp(-log_s)
        return (-0.5 * u**2 - log_s - HALF_LOG_2PI).flatten(1).sum(1)

    def log_prob(self, z: Tensor, kept: Tensor) -> Tensor:
        return self.density(z, *self.conv(kept).chunk(2, dim=1))


class PriorWithoutScale(Prior):
    def density(self, z: Tensor, mean: Tensor, log_s: Tensor) -> Tensor:
        u = (z - mean) * torch.exp(-log_s)
        return (-0.5 * u**2 - HALF_LOG_2PI).flatten(1).sum(1)


class PriorWithoutConstant(Prior):
    def density(self, z: Tensor, mean: Tensor, log_s: Tensor) -> Tensor:
        u = (z - mean) * torch.exp(-log_s)
        return (-0.5 * u**2 - log_s).flatten(1).sum(1)


class PriorOfScaleTurned(Prior):
    def density(self, z: Tensor, mean: Tensor, log_s: Tensor) -> Tensor:
        u = (z - mean) * torch.exp(-log_s)
        return (-0.5 * u**2 + log_s - HALF_LOG_2PI).flatten(1).sum(1)


class Glow(nn.Module):
    """Its `log_prob` adds the prior of what leaves to the objective."""

    def __init__(self, prior: type[Prior] = Prior) -> None:
        super().__init__()
        self.first, self.second = Step(4), Step(8)
        self.prior = prior(2)
        self.mean = nn.Parameter(torch.zeros(8, 1, 1))
        self.log_s = nn.Parameter(torch.zeros(8, 1, 1))

    def top(self, z: Tensor) -> Tensor:
        u = (z - self.mean) * torch.exp(-self.log_s)
        return (-0.5 * u**2 - self.log_s - HALF_LOG_2PI).flatten(1).sum(1)

    def parts(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, objective = self.first(squeeze(x))
        kept, left = x.chunk(2, dim=1)
        objective = objective + self.prior.log_prob(left, kept)
        z, ldj = self.second(squeeze(kept))
        return objective + ldj + self.top(z), [left, z]

    def log_prob(self, x: Tensor) -> Tensor:
        return self.parts(x)[0]


class HandedBack(Glow):
    """The call returns the density and all parts of z."""

    log_prob = None  # type: ignore[assignment]  # it has none

    def forward(self, x: Tensor) -> Any:
        log_p, parts = self.parts(x)
        return log_p, parts


class WrittenInside(HandedBack):
    """The prior is no object that is asked: its density is called by another name."""

    def parts(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x, objective = self.first(squeeze(x))
        kept, left = x.chunk(2, dim=1)
        mean, log_s = self.prior.conv(kept).chunk(2, dim=1)
        z, ldj = self.second(squeeze(kept))
        objective = objective + ldj + self.prior.density(left, mean, log_s)
        return objective + self.top(z), [left, z]


class Split(nn.Module):
    """Returns both halves, and counts the density of the second one given the first."""

    def __init__(self, prior: type[Prior]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.prior = prior(2)

    def forward(self, x: Tensor, total: Tensor) -> Any:
        kept, left = x.chunk(2, dim=1)
        return kept, left, total + self.prior.log_prob(left, kept)


class Dropped(nn.Module):
    """Goes on with what a split keeps, and lets go of what else it hands back."""

    def __init__(
        self, prior: type[Prior] = Prior, mix: Callable[[int], nn.Module] = Mix
    ) -> None:
        super().__init__()
        self.first, self.mix, self.second = Step(4), mix(4), Step(8)
        self.split = Split(prior)

    def forward(self, x: Tensor) -> Any:
        x, total = self.first(squeeze(x))
        x, ldj = self.mix(x)
        kept, _, total = self.split(x, total + ldj)
        z, ldj = self.second(squeeze(kept))
        return z, total + ldj


class MixOfOnePixel(Mix):
    def forward(self, x: Tensor) -> Any:
        y, ldj = super().forward(x)
        return y, ldj / (x.shape[2] * x.shape[3])
