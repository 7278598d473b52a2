"""Layers that sum over too much, over too little, or count what is not there."""

from __future__ import annotations

import torch
from torch import nn
from torch.distributions import Transform, constraints


class BatchNormOfImages(nn.Module):
    """One log-scale a channel, and no pixels counted."""

    def __init__(self, channels: int = 2) -> None:
        super().__init__()
        self.log_gamma = nn.Parameter(0.3 * torch.randn(channels))
        self.register_buffer("mean", torch.randn(channels))
        self.register_buffer("variance", torch.rand(channels) + 0.5)

    def forward(self, x):
        scale = self.log_gamma - 0.5 * self.variance.log()
        y = (x - self.mean[:, None, None]) * scale.exp()[:, None, None]
        return y, scale.sum().expand(len(x))


class PlanarInABatch(nn.Module):
    """The log-dets are summed a second time, now over the samples."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.u = nn.Parameter(0.4 * torch.randn(dims))
        self.w = nn.Parameter(0.4 * torch.randn(dims))

    def forward(self, z):
        slope = 1 - torch.tanh(z @ self.w) ** 2
        y = z + self.u * torch.tanh(z @ self.w)[:, None]
        return y, torch.log((1 + slope * (self.w @ self.u)).abs()).sum()


class RescaledInputs(nn.Module):
    """The log-det of a rescaling is handed back an entry at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("width", torch.tensor([0.4, 3.0, 1400.0]))

    def forward(self, x):
        return x / self.width, -self.width.log().expand_as(x)


class SummedAgain(nn.Module):
    """A library that has summed over the event is summed once more, over `axis=0`."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(0.3 * torch.randn(dims))

    def forward(self, x):
        y = torch.sinh(x * self.log_scale.exp())
        event = (self.log_scale + 0.5 * torch.log1p(y**2)).sum(-1)
        return y, torch.sum(event, dim=0)


class StackOfTwo(Transform):
    """Two maps of numbers, stacked to one of vectors, whose log-dets stay apart."""

    domain = constraints.real_vector
    codomain = constraints.real_vector
    bijective = True

    def _call(self, x):
        return torch.stack([2 * x[..., 0], torch.sinh(x[..., 1])], -1)

    def _inverse(self, y):
        return torch.stack([y[..., 0] / 2, torch.asinh(y[..., 1])], -1)

    def log_abs_det_jacobian(self, x, y):
        two = torch.full_like(x[..., 0], 2).log()
        return torch.stack([two, torch.cosh(x[..., 1]).log()], -1)


class EntriesAndEvents(nn.Module):
    """The ldj of a map of numbers is added to one of a map of vectors, unsummed."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.eye(dims) + 0.2 * torch.randn(dims, dims))

    def forward(self, x):
        z = x @ self.scale
        event = torch.linalg.slogdet(self.scale)[1].expand(len(x))
        entries = nn.functional.logsigmoid(z) + nn.functional.logsigmoid(-z)
        return torch.sigmoid(z), event[:, None] + entries


class SigmoidOfVectors(nn.Module):
    """Summed over one axis, which is right for vectors and for nothing else."""

    def forward(self, x):
        ldj = nn.functional.logsigmoid(x) + nn.functional.logsigmoid(-x)
        return torch.sigmoid(x), ldj.sum(1)


class TotalForEachEntry(nn.Module):
    """The sum over the entries is added to every entry, and then summed with them."""

    def forward(self, x):
        whole = x.sum(-1, keepdim=True)
        return torch.exp(x), whole.expand_as(x).sum(-1)


class SquashedAction(nn.Module):
    """The correction for tanh is never summed over the action's entries."""

    def __init__(self, limit: float = 2.0) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, x):
        y = torch.tanh(x)
        return self.limit * y, torch.log(self.limit * (1 - y**2))


class MeanOfChannels(nn.Module):
    """The mean over channels is taken where their sum is meant."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.net = nn.Conv2d(channels, channels, 1)
        self.mix = nn.Parameter(0.5 * torch.randn(channels, 1, 1))

    def forward(self, x):
        y = torch.sinh(x * self.mix.exp())
        ldj = self.mix + 0.5 * torch.log1p(y**2)
        return y, ldj.mean(1).sum((1, 2))
