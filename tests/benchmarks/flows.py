"""Flows at the sizes that people have: what the benchmarks run, right and with a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

Pair = tuple[Tensor, Tensor]


class Reversible(Protocol):
    """A layer that adds its ldj to an incoming total, there and back."""

    def __call__(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair: ...


# --- the flow of images of a course: f(z, ldj, reverse) ---------------------------------


def checkerboard(height: int, width: int, invert: bool = False) -> Tensor:
    """Return a mask, `(1, 1, height, width)`, of zeros and ones in turn."""
    rows, columns = torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing="ij"
    )
    mask = ((rows + columns) % 2).float()[None, None]
    return 1 - mask if invert else mask


def halves(channels: int, invert: bool = False) -> Tensor:
    """Return a mask, `(1, channels, 1, 1)`, of one half of the channels."""
    mask = torch.cat([torch.ones(channels // 2), torch.zeros(channels - channels // 2)])
    mask = mask.view(1, channels, 1, 1)
    return 1 - mask if invert else mask


class BothSigns(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([functional.elu(x), functional.elu(-x)], dim=1)


class ChannelNorm(nn.Module):
    """Normalise each pixel over its channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


class Gated(nn.Module):
    """A convolution whose output is gated, and added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            BothSigns(),
            nn.Conv2d(2 * channels, channels, 3, padding=1),
            BothSigns(),
            nn.Conv2d(2 * channels, 2 * channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.net(x).chunk(2, dim=1)
        return x + value * torch.sigmoid(gate)


def gated_net(c_in: int, hidden: int, c_out: int, layers: int = 3) -> nn.Module:
    parts: list[nn.Module] = [nn.Conv2d(c_in, hidden, 3, padding=1)]
    for _ in range(layers):
        parts += [Gated(hidden), ChannelNorm(hidden)]
    parts += [BothSigns(), nn.Conv2d(2 * hidden, c_out, 3, padding=1)]
    last = parts[-1]
    assert isinstance(last, nn.Conv2d)
    nn.init.normal_(last.weight, std=0.05)
    return nn.Sequential(*parts)


class Coupling(nn.Module):
    """An affine coupling by a mask, with a learned bound of the scales."""

    sign = 1

    def __init__(
        self, mask: Tensor, channels: int, hidden: int, conditions: int = 0
    ) -> None:
        super().__init__()
        self.net = gated_net(channels + conditions, hidden, 2 * channels)
        self.scaling = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mask", mask)

    def forward(
        self,
        z: Tensor,
        ldj: Tensor,
        reverse: bool = False,
        orig_img: Tensor | None = None,
    ) -> Pair:
        kept = z * self.mask
        seen = kept if orig_img is None else torch.cat([kept, orig_img], dim=1)
        s, t = self.net(seen).chunk(2, dim=1)
        bound = self.scaling.exp().view(1, -1, 1, 1)
        s = torch.tanh(s / bound) * bound
        s, t = s * (1 - self.mask), t * (1 - self.mask)
        if not reverse:
            z = (z + t) * torch.exp(s)
            ldj = ldj + self.sign * s.sum(dim=[1, 2, 3])
        else:
            z = z * torch.exp(-s) - t
            ldj = ldj - self.sign * s.sum(dim=[1, 2, 3])
        return z, ldj


class FlippedCoupling(Coupling):
    sign = -1


class Dequantization(nn.Module):
    """Noise, scale and the inverse of a sigmoid."""

    def __init__(self, alpha: float = 1e-5, quants: int = 256) -> None:
        super().__init__()
        self.alpha, self.quants = alpha, quants

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        if not reverse:
            z, ldj = self.dequant(z, ldj)
            z, ldj = self.sigmoid(z, ldj, reverse=True)
        else:
            z, ldj = self.sigmoid(z, ldj)
            z = z * self.quants
            ldj = ldj + np.log(self.quants) * np.prod(z.shape[1:])
            z = torch.floor(z).clamp(min=0, max=self.quants - 1).to(torch.int32)
        return z, ldj

    def sigmoid(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        if not reverse:
            ldj = ldj + (-z - 2 * functional.softplus(-z)).sum(dim=[1, 2, 3])
            z = torch.sigmoid(z)
            ldj = ldj - np.log(1 - self.alpha) * np.prod(z.shape[1:])
            z = (z - 0.5 * self.alpha) / (1 - self.alpha)
        else:
            z = z * (1 - self.alpha) + 0.5 * self.alpha
            ldj = ldj + np.log(1 - self.alpha) * np.prod(z.shape[1:])
            ldj = ldj + (-torch.log(z) - torch.log(1 - z)).sum(dim=[1, 2, 3])
            z = torch.log(z) - torch.log(1 - z)
        return z, ldj

    def dequant(self, z: Tensor, ldj: Tensor) -> Pair:
        z = z.to(torch.float32)
        z = (z + torch.rand_like(z)) / self.quants
        ldj = ldj - np.log(self.quants) * np.prod(z.shape[1:])
        return z, ldj


class Squeeze(nn.Module):
    """Fold 2 x 2 pixels into channels."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        if not reverse:
            return functional.pixel_unshuffle(z, 2), ldj
        return functional.pixel_shuffle(z, 2), ldj


class Split(nn.Module):
    """Evaluate one half of the channels under a standard normal, and go on with the other."""

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        prior = torch.distributions.Normal(loc=0.0, scale=1.0)
        if not reverse:
            z, part = z.chunk(2, dim=1)
            ldj = ldj + prior.log_prob(part).sum(dim=[1, 2, 3])
        else:
            part = prior.sample(sample_shape=z.shape).to(z)
            z = torch.cat([z, part], dim=1)
            ldj = ldj - prior.log_prob(part).sum(dim=[1, 2, 3])
        return z, ldj


class Chain(nn.Module):
    """Layers one after another."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        for layer in reversed(self.layers) if reverse else self.layers:
            z, ldj = layer(z, ldj, reverse=reverse)
        return z, ldj


def coupling(side: int = 28, hidden: int = 32) -> Coupling:
    """Return one coupling layer of a course, at the size of its images."""
    torch.manual_seed(0)
    return Coupling(checkerboard(side, side), 1, hidden)


def wrong_coupling(side: int = 28, hidden: int = 32) -> Coupling:
    torch.manual_seed(0)
    return FlippedCoupling(checkerboard(side, side), 1, hidden)


def multi_scale(side: int = 28, hidden: int = 32, wrong: int | None = None) -> Chain:
    """Return dequantization, 4 + 2 + 2 couplings, squeezes and splits; one may be flipped."""
    torch.manual_seed(0)

    def one(number: int, mask: Tensor, channels: int, width: int) -> Coupling:
        kind = FlippedCoupling if number == wrong else Coupling
        return kind(mask, channels, width)

    layers: list[nn.Module] = [Dequantization()]
    board = [checkerboard(side, side, invert=bool(i % 2)) for i in range(4)]
    layers += [one(i, mask, 1, hidden) for i, mask in enumerate(board)]
    layers += [Squeeze()]
    layers += [one(4 + i, halves(4, bool(i % 2)), 4, hidden) for i in range(2)]
    layers += [Split(), Squeeze()]
    layers += [one(6 + i, halves(8, bool(i % 2)), 8, hidden) for i in range(2)]
    return Chain(layers)


# --- Glow: forward(x) -> z, logdet; reverse(z) -> x, logdet -----------------------------


class ActNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.loc = nn.Parameter(0.1 * torch.randn(1, channels, 1, 1))
        self.log_scale = nn.Parameter(0.1 * torch.randn(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Pair:
        _, _, height, width = x.shape
        y = (x + self.loc) * self.log_scale.exp()
        return y, (height * width * self.log_scale.sum()).expand(len(x))

    def reverse(self, y: Tensor) -> Pair:
        _, _, height, width = y.shape
        x = y * torch.exp(-self.log_scale) - self.loc
        return x, (-height * width * self.log_scale.sum()).expand(len(y))


class ActNormOnce(ActNorm):
    """The scales are counted once, and not once for each pixel."""

    def forward(self, x: Tensor) -> Pair:
        y = (x + self.loc) * self.log_scale.exp()
        return y, self.log_scale.sum().expand(len(x))


class OneByOne(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        q, _ = torch.linalg.qr(torch.randn(channels, channels))
        self.weight = nn.Parameter(q + 0.05 * torch.randn(channels, channels))

    def forward(self, x: Tensor) -> Pair:
        _, channels, height, width = x.shape
        y = functional.conv2d(x, self.weight.view(channels, channels, 1, 1))
        logdet = height * width * torch.slogdet(self.weight)[1]
        return y, logdet.expand(len(x))

    def reverse(self, y: Tensor) -> Pair:
        _, channels, height, width = y.shape
        x = functional.conv2d(y, self.weight.inverse().view(channels, channels, 1, 1))
        logdet = -height * width * torch.slogdet(self.weight)[1]
        return x, logdet.expand(len(y))


class AffineCoupling(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(channels // 2, hidden, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, 1)
        log_s, t = self.net(a).chunk(2, 1)
        s = torch.sigmoid(log_s + 2)
        return torch.cat([a, (b + t) * s], 1), torch.log(s).flatten(1).sum(1)

    def reverse(self, y: Tensor) -> Pair:
        a, b = y.chunk(2, 1)
        log_s, t = self.net(a).chunk(2, 1)
        s = torch.sigmoid(log_s + 2)
        return torch.cat([a, b / s - t], 1), -torch.log(s).flatten(1).sum(1)


class Step(nn.Module):
    norm: type[ActNorm] = ActNorm

    def __init__(
        self, channels: int, hidden: int, norm: type[ActNorm] = ActNorm
    ) -> None:
        super().__init__()
        self.actnorm = norm(channels)
        self.invconv = OneByOne(channels)
        self.coupling = AffineCoupling(channels, hidden)

    def forward(self, x: Tensor) -> Pair:
        x, det1 = self.actnorm(x)
        x, det2 = self.invconv(x)
        x, det3 = self.coupling(x)
        return x, det1 + det2 + det3

    def reverse(self, y: Tensor) -> Pair:
        y, det1 = self.coupling.reverse(y)
        y, det2 = self.invconv.reverse(y)
        y, det3 = self.actnorm.reverse(y)
        return y, det1 + det2 + det3


class Level(nn.Module):
    """Fold pixels into channels, and take steps."""

    def __init__(
        self, channels: int, hidden: int, steps: int, norms: Sequence[type[ActNorm]]
    ) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            Step(4 * channels, hidden, norms[i]) for i in range(steps)
        )

    def forward(self, x: Tensor) -> Pair:
        x = functional.pixel_unshuffle(x, 2)
        total = x.new_zeros(len(x))
        for step in self.steps:
            x, logdet = step(x)
            total = total + logdet
        return x, total

    def reverse(self, y: Tensor) -> Pair:
        total = y.new_zeros(len(y))
        for step in reversed(self.steps):
            y, logdet = step.reverse(y)
            total = total + logdet
        return functional.pixel_shuffle(y, 2), total


class Glow(nn.Module):
    """Levels one after another; one of its norms may count once where it is to count often."""

    def __init__(
        self,
        channels: int = 3,
        levels: int = 3,
        steps: int = 8,
        hidden: int = 64,
        wrong: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.levels = nn.ModuleList(
            Level(
                channels * 4**level,
                hidden,
                steps,
                [
                    ActNormOnce if (level, step) == wrong else ActNorm
                    for step in range(steps)
                ],
            )
            for level in range(levels)
        )

    def forward(self, x: Tensor) -> Pair:
        total = x.new_zeros(len(x))
        for level in self.levels:
            x, logdet = level(x)
            total = total + logdet
        return x, total

    def reverse(self, z: Tensor) -> Pair:
        total = z.new_zeros(len(z))
        for level in reversed(self.levels):
            z, logdet = level.reverse(z)
            total = total + logdet
        return z, total
