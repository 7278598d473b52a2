"""Flows that drift, or are another one in training, beside their right twins."""

from __future__ import annotations

import torch
from small_layers import Pair
from torch import Tensor, nn


class Coupling(nn.Module):
    """q is scaled and shifted by what a network makes of p; then both change places."""

    def __init__(self, dims: int = 6) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(dims // 2, 32), nn.Tanh(), nn.Linear(32, dims)
        )

    def factors(self, p: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.net(p).chunk(2, dim=1)
        return s, t

    def forward(self, x: Tensor) -> Pair:
        p, q = x.chunk(2, dim=1)
        s, t = self.factors(p)
        return torch.cat([q * s.exp() + t, p], dim=1), s.sum(dim=1)

    def inverse(self, y: Tensor) -> Pair:
        q, p = y.chunk(2, dim=1)
        s, t = self.factors(p)
        return torch.cat([p, (q - t) * (-s).exp()], dim=1), -s.sum(dim=1)


class Dropped(Coupling):
    """Drops some of the scales in training, and counts them all."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Pair:
        p, q = x.chunk(2, dim=1)
        s, t = self.factors(p)
        return torch.cat([q * self.drop(s).exp() + t, p], dim=1), s.sum(dim=1)


class Normalised(nn.Module):
    """A batch norm: the moments of the batch in training, their averages after."""

    mean: Tensor
    variance: Tensor

    def __init__(self, dims: int = 6) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dims))
        self.register_buffer("variance", torch.ones(dims))

    def moments(self, x: Tensor) -> Pair:
        if not self.training:
            return self.mean, self.variance
        mean, variance = x.mean(dim=0), x.var(dim=0)
        with torch.no_grad():
            self.mean.lerp_(mean, 0.1)
            self.variance.lerp_(variance, 0.1)
        return mean, variance

    def counted(self, x: Tensor, variance: Tensor) -> Tensor:
        return variance

    def forward(self, x: Tensor) -> Pair:
        mean, variance = self.moments(x)
        ldj = -0.5 * self.counted(x, variance).log().sum()
        return (x - mean) / variance.sqrt(), ldj.expand(len(x))

    def inverse(self, y: Tensor) -> Pair:
        ldj = 0.5 * self.variance.log().sum()
        return y * self.variance.sqrt() + self.mean, ldj.expand(len(y))


class OfTheBatch(Normalised):
    """Counts the variance of the batch always, which is right in training alone."""

    def counted(self, x: Tensor, variance: Tensor) -> Tensor:
        return x.var(dim=0)


class Flow(nn.Module):
    """Layers one after another."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Pair:
        ldj = x.new_zeros(len(x))
        for layer in self.layers:
            x, own = layer(x)
            ldj = ldj + own
        return x, ldj

    def inverse(self, y: Tensor) -> Pair:
        ldj = y.new_zeros(len(y))
        for layer in reversed(self.layers):
            y, own = layer.inverse(y)
            ldj = ldj + own
        return y, ldj


class Mirrored(Coupling):
    """Counts its scales with the wrong sign."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, -ldj


class Labelled(Coupling):
    """Scales by the class of each sample, and by a temperature."""

    def __init__(self, counts: float = 1.0) -> None:
        super().__init__()
        self.of_class = nn.Embedding(10, 6)
        self.counts = counts

    def forward(self, x: Tensor, y: Tensor, temperature: float = 1.0) -> Pair:
        z, ldj = super().forward(x)
        scale = self.of_class(y) * temperature
        return z * scale.exp(), ldj + self.counts * scale.sum(dim=1)

    def inverse(self, z: Tensor, y: Tensor, temperature: float = 1.0) -> Pair:
        scale = self.of_class(y) * temperature
        x, ldj = super().inverse(z * (-scale).exp())
        return x, ldj - self.counts * scale.sum(dim=1)


def of_likelihood(flow: nn.Module, x: Tensor) -> Tensor:
    z, ldj = flow(x)
    return (0.5 * z.square().sum(dim=1) - ldj).mean()


def of_a_task(flow: nn.Module, x: Tensor) -> Tensor:
    """Let half of z predict |x|**2: nothing keeps the map from squeezing."""
    z, _ = flow(x)
    return (z[:, :3] - x.square().sum(dim=1, keepdim=True)).square().mean()
