"""Layers that were reported as wrong and are right: the report was a misunderstanding."""

from __future__ import annotations

import torch
from torch import nn
from torch.distributions import Transform, constraints

from bug_reports.signs_and_inverses import conditioner


class Sylvester(nn.Module):
    """log|1 + h' r₁ r₂| of triangular matrices, with the one inside the bars."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.r1 = nn.Parameter(0.4 * torch.randn(dims, dims))
        self.r2 = nn.Parameter(0.4 * torch.randn(dims, dims))

    def forward(self, z):
        r1, r2 = torch.triu(self.r1), torch.triu(self.r2)
        h = torch.tanh(z @ r2.T)
        diagonal = 1 + (1 - h**2) * r1.diagonal() * r2.diagonal()
        return z + h @ r1.T, diagonal.abs().log().sum(-1)


class LogScaleAsItIs(nn.Module):
    """exp(s) multiplies, so s is summed."""

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.net = conditioner(dims // 2)

    def forward(self, audio):
        kept, moved = audio.chunk(2, 1)
        log_s, b = self.net(kept).chunk(2, 1)
        return torch.cat([kept, moved * log_s.exp() + b], 1), log_s.sum(1)


class ShiftThenScale(nn.Module):
    """(x + t) exp(s) and back y exp(-s) - t: another order than the paper's, and right."""

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.net = conditioner(dims // 2)

    def forward(self, x, reverse=False):
        kept, moved = x.chunk(2, 1)
        s, t = self.net(kept).chunk(2, 1)
        s = torch.tanh(s)
        if reverse:
            return torch.cat([kept, moved * torch.exp(-s) - t], 1), -s.sum(1)
        return torch.cat([kept, (moved + t) * s.exp()], 1), s.sum(1)


class ScaleAtEveryStep(nn.Module):
    """The scale has an entry for each step of time, so no factor T is missing."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.net = nn.Conv1d(channels // 2, channels, 1)

    def forward(self, z):
        kept, moved = z.chunk(2, 1)
        scale, shift = self.net(kept).chunk(2, 1)
        scale = torch.sigmoid(scale + 2)
        y = torch.cat([kept, (moved + shift) * scale], 1)
        return y, scale.log().sum((1, 2))


class CheckerboardScale(nn.Module):
    """Neither exp nor product: the sum of log-scales is the log of their product."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x):
        rows, columns = torch.arange(x.shape[2]), torch.arange(x.shape[3])
        mask = ((rows[:, None] + columns) % 2).to(x.dtype)
        log_scale, shift = self.net(x * mask).chunk(2, 1)
        log_scale, shift = torch.tanh(log_scale) * (1 - mask), shift * (1 - mask)
        return x * log_scale.exp() + shift, log_scale.sum((1, 2, 3))


class SoftplusTransform(Transform):
    """log|dy/dx|, as the method is documented; a density then subtracts it."""

    domain = constraints.real
    codomain = constraints.positive
    bijective = True

    def _call(self, x):
        return nn.functional.softplus(x)

    def _inverse(self, y):
        return y + torch.log(-torch.expm1(-y))

    def log_abs_det_jacobian(self, x, y):
        return nn.functional.logsigmoid(x)


class Precision(nn.Module):
    """u = exp(½ logp) (x - m) and ½ logp: the square of u has the scale in it already."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.m = nn.Parameter(torch.randn(dims))
        self.logp = nn.Parameter(torch.randn(dims))

    def forward(self, x):
        return torch.exp(0.5 * self.logp) * (x - self.m), 0.5 * self.logp.sum()


class MatrixOfVectors(nn.Module):
    """A matrix applied to vectors once has no factor of pixels."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.lower_upper = nn.Parameter(torch.eye(dims) + 0.3 * torch.randn(3, 3))

    def forward(self, x):
        lower = torch.tril(self.lower_upper, -1) + torch.eye(len(self.lower_upper))
        y = x @ (lower @ torch.triu(self.lower_upper)).T
        return y, self.lower_upper.diagonal().abs().log().sum().expand(len(x))


class ExpOfNumbers(Transform):
    """A map of numbers reports for each number; who asks about vectors sums."""

    domain = constraints.real
    codomain = constraints.positive
    bijective = True

    def _call(self, x):
        return x.exp()

    def _inverse(self, y):
        return y.log()

    def log_abs_det_jacobian(self, x, y):
        return x
