"""Modules in the manner of FrEIA: `m((x,), rev=False, jac=True) -> (y,), ldj`."""

import numpy as np
import torch
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class GlowBlock(nn.Module):
    """Move one half of a vector, given the other half, softly clamped."""

    def __init__(self, dims=6, clamp=1.5):
        super().__init__()
        self.clamp = clamp
        half = dims // 2
        self.net = nn.Sequential(nn.Linear(half, 8), nn.Tanh(), nn.Linear(8, dims))

    def scale_and_shift(self, a):
        s, t = self.net(a).chunk(2, dim=1)
        return self.clamp * torch.atan(s) * 2 / np.pi, t

    def forward(self, x, rev=False, jac=True):
        a, b = x[0].chunk(2, dim=1)
        s, t = self.scale_and_shift(a)
        if rev:
            b, log_jac = (b - t) * torch.exp(-s), -s.sum(dim=1)
        else:
            b, log_jac = b * torch.exp(s) + t, s.sum(dim=1)
        return (torch.cat([a, b], dim=1),), log_jac


class GlowBlockMean(GlowBlock):
    """The log-scales are averaged on the way there."""

    def forward(self, x, rev=False, jac=True):
        a, b = x[0].chunk(2, dim=1)
        s, t = self.scale_and_shift(a)
        if rev:
            b, log_jac = (b - t) * torch.exp(-s), -s.sum(dim=1)
        else:
            b, log_jac = b * torch.exp(s) + t, s.mean(dim=1)
        return (torch.cat([a, b], dim=1),), log_jac


class GlowBlockNoMinus(GlowBlock):
    """In reverse the minus is missing."""

    def forward(self, x, rev=False, jac=True):
        a, b = x[0].chunk(2, dim=1)
        s, t = self.scale_and_shift(a)
        if rev:
            b, log_jac = (b - t) * torch.exp(-s), s.sum(dim=1)
        else:
            b, log_jac = b * torch.exp(s) + t, s.sum(dim=1)
        return (torch.cat([a, b], dim=1),), log_jac


class GlowBlockTwice(GlowBlock):
    """The log-scales are added once more."""

    def forward(self, x, rev=False, jac=True):
        if rev:
            return super().forward(x, rev, jac)
        a, b = x[0].chunk(2, dim=1)
        s, t = self.scale_and_shift(a)
        b, log_jac = b * torch.exp(s) + t, s.sum(dim=1)
        log_jac = log_jac + s.sum(dim=1)
        return (torch.cat([a, b], dim=1),), log_jac


class GlowBlockShiftCounted(GlowBlock):
    """The shift is counted with the log-scale."""

    def forward(self, x, rev=False, jac=True):
        if rev:
            return super().forward(x, rev, jac)
        a, b = x[0].chunk(2, dim=1)
        s, t = self.scale_and_shift(a)
        b, log_jac = b * torch.exp(s) + t, (s + t).sum(dim=1)
        return (torch.cat([a, b], dim=1),), log_jac


class GlowBlockSummedUp(GlowBlock):
    """The sum runs over the batch too."""

    def forward(self, x, rev=False, jac=True):
        if rev:
            return super().forward(x, rev, jac)
        a, b = x[0].chunk(2, dim=1)
        s, t = self.scale_and_shift(a)
        b, log_jac = b * torch.exp(s) + t, s.sum()
        return (torch.cat([a, b], dim=1),), log_jac.expand(len(a))


class FixedLinear(nn.Module):
    """Multiply a vector by a fixed matrix, and add a vector."""

    def __init__(self, dims=3):
        super().__init__()
        self.register_buffer(
            "m", torch.eye(dims).flip(0) + 0.2 * torch.ones(dims, dims)
        )
        self.register_buffer("b", torch.linspace(-1, 1, dims))

    def forward(self, x, rev=False, jac=True):
        log_det = torch.linalg.slogdet(self.m)[1].expand(len(x[0]))
        if rev:
            return ((x[0] - self.b) @ torch.inverse(self.m),), -log_det
        return (x[0] @ self.m + self.b,), log_det


class FixedLinearSigned(FixedLinear):
    """`torch.logdet` is NaN for this matrix, whose determinant is negative."""

    def forward(self, x, rev=False, jac=True):
        if rev:
            return super().forward(x, rev, jac)
        log_det = torch.logdet(self.m).expand(len(x[0]))
        return (x[0] @ self.m + self.b,), log_det


class FixedLinearUnlogged(FixedLinear):
    """The determinant is counted, not its logarithm."""

    def forward(self, x, rev=False, jac=True):
        if rev:
            return super().forward(x, rev, jac)
        log_det = torch.det(self.m).abs().expand(len(x[0]))
        return (x[0] @ self.m + self.b,), log_det


class FixedLinearPerDim(FixedLinear):
    """The log-determinant is counted once per dimension."""

    def forward(self, x, rev=False, jac=True):
        if rev:
            return super().forward(x, rev, jac)
        log_det = torch.linalg.slogdet(self.m)[1] * x[0].shape[1]
        return (x[0] @ self.m + self.b,), log_det.expand(len(x[0]))


class ElementwiseExp(nn.Module):
    """exp of every entry; the ldj is the sum of the inputs."""

    def forward(self, x, rev=False, jac=True):
        if rev:
            y = torch.log(x[0])
            return (y,), -y.flatten(1).sum(dim=1)
        return (torch.exp(x[0]),), x[0].flatten(1).sum(dim=1)


class ElementwiseExpOfTheOutput(ElementwiseExp):
    """The outputs are summed, not the inputs."""

    def forward(self, x, rev=False, jac=True):
        if rev:
            return super().forward(x, rev, jac)
        y = torch.exp(x[0])
        return (y,), y.flatten(1).sum(dim=1)


class Shuffle(nn.Module):
    """Reorder the entries: the ldj is the number 0."""

    def __init__(self, dims=4):
        super().__init__()
        self.order = torch.randperm(dims, generator=torch.Generator().manual_seed(1))

    def forward(self, x, rev=False, jac=True):
        order = torch.argsort(self.order) if rev else self.order
        return (x[0][:, order],), 0.0


class ShuffleWithAOne(Shuffle):
    """The determinant 1 is reported for its logarithm."""

    def forward(self, x, rev=False, jac=True):
        order = torch.argsort(self.order) if rev else self.order
        return (x[0][:, order],), torch.ones(len(x[0]))


ANIMALS = family(
    "freia",
    (6,),
    right(GlowBlock, "LDJ111"),
    wrong("LDJ105", GlowBlockMean),
    wrong("LDJ302", GlowBlockNoMinus, "inverse"),
    wrong("LDJ114", GlowBlockTwice),
    wrong("LDJ111", GlowBlockShiftCounted),
    wrong("LDJ106", GlowBlockSummedUp),
    right(FixedLinear, "LDJ109", shape=(3,)),
    wrong("LDJ109", FixedLinearSigned, shape=(3,)),
    wrong("LDJ108", FixedLinearUnlogged, shape=(3,)),
    wrong("LDJ103", FixedLinearPerDim, shape=(3,), ties=("LDJ114",)),
    right(ElementwiseExp, "LDJ108"),
    wrong("LDJ108", ElementwiseExpOfTheOutput, ties=("LDJ112",)),
    right(Shuffle, "LDJ203", shape=(4,)),
    wrong("LDJ118", ShuffleWithAOne, shape=(4,)),
)
