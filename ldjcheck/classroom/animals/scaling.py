"""One factor for all entries: y = a * x. Pairs with an `inverse` method."""

import math

import numpy as np
import torch
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class Scaling(nn.Module):
    """Multiply every entry by one learned factor."""

    def __init__(self):
        super().__init__()
        self.log_a = nn.Parameter(torch.tensor(0.4))

    def forward(self, x):
        ldj = self.log_a * x[0].numel()
        return x * torch.exp(self.log_a), ldj.expand(len(x))

    def inverse(self, y):
        ldj = -self.log_a * y[0].numel()
        return y * torch.exp(-self.log_a), ldj.expand(len(y))


class ScalingCountedOnce(Scaling):
    """The log of the factor is counted once, not once per dimension."""

    def forward(self, x):
        ldj = self.log_a
        return x * torch.exp(self.log_a), ldj.expand(len(x))


class ScalingCountedPerBatch(Scaling):
    """The count of dims includes the batch."""

    def forward(self, x):
        ldj = self.log_a * x.numel()
        return x * torch.exp(self.log_a), ldj.expand(len(x))


class ScalingTurnedAround(Scaling):
    """The ldj is subtracted where the map expands."""

    def forward(self, x):
        ldj = -self.log_a * x[0].numel()
        return x * torch.exp(self.log_a), ldj.expand(len(x))


class ScalingPlusOne(Scaling):
    """An empty sum was started at one."""

    def forward(self, x):
        ldj = 1
        ldj = ldj + self.log_a * x[0].numel()
        return x * torch.exp(self.log_a), ldj.expand(len(x))


class ScalingInverseRepeats(Scaling):
    """The inverse repeats the forward ldj."""

    def inverse(self, y):
        ldj = self.log_a * y[0].numel()
        return y * torch.exp(-self.log_a), ldj.expand(len(y))


class ScalingInverseMultiplies(Scaling):
    """The inverse multiplies once more; its ldj is that of what it should do."""

    def inverse(self, y):
        ldj = self.log_a * y[0].numel()
        return y * torch.exp(self.log_a), ldj.expand(len(y))


class ScalingInverseSilent(Scaling):
    """The inverse reports zeros, since sampling does not need more."""

    def inverse(self, y):
        return y * torch.exp(-self.log_a), torch.zeros(len(y))


class FixedScaling(nn.Module):
    """Multiply every entry by a number that is not learned."""

    def __init__(self, factor=3.0):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        ldj = math.log(self.factor) * np.prod(x.shape[1:])
        return x * self.factor, torch.full((len(x),), ldj)

    def inverse(self, y):
        ldj = -math.log(self.factor) * np.prod(y.shape[1:])
        return y / self.factor, torch.full((len(y),), ldj)


class FixedScalingBase2(FixedScaling):
    """The logarithm has base 2."""

    def forward(self, x):
        ldj = math.log2(self.factor) * np.prod(x.shape[1:])
        return x * self.factor, torch.full((len(x),), ldj)


class FixedScalingBase10(FixedScaling):
    """The logarithm has base 10."""

    def forward(self, x):
        ldj = np.log10(self.factor) * np.prod(x.shape[1:])
        return x * self.factor, torch.full((len(x),), ldj)


class FixedScalingUnlogged(FixedScaling):
    """The factor itself is counted, not its logarithm."""

    def forward(self, x):
        ldj = self.factor * np.prod(x.shape[1:])
        return x * self.factor, torch.full((len(x),), ldj)


class FixedScalingSquared(FixedScaling):
    """The log of the squared factor: twice the right value."""

    def forward(self, x):
        ldj = math.log(self.factor**2) * np.prod(x.shape[1:])
        return x * self.factor, torch.full((len(x),), ldj)


class FixedScalingForgotten(FixedScaling):
    """The ldj was never written."""

    def forward(self, x):
        return x * self.factor, torch.zeros(len(x))


class FixedScalingInverseCountedOnce(FixedScaling):
    """The inverse counts the log of the factor once."""

    def inverse(self, y):
        ldj = -math.log(self.factor)
        return y / self.factor, torch.full((len(y),), ldj)


class SignedScaling(nn.Module):
    """Multiply each entry by a learned factor of either sign."""

    def __init__(self, dims=4):
        super().__init__()
        self.a = nn.Parameter(torch.linspace(0.2, 0.7, dims))

    def forward(self, x):
        ldj = torch.log(torch.abs(self.a)).sum()
        return x * self.a, ldj.expand(len(x))

    def inverse(self, y):
        ldj = -torch.log(torch.abs(self.a)).sum()
        return y / self.a, ldj.expand(len(y))


class SignedScalingNoAbs(SignedScaling):
    """Negative factors have no logarithm without an abs."""

    def forward(self, x):
        ldj = torch.log(self.a).sum()
        return x * self.a, ldj.expand(len(x))


class SignedScalingAbsOutside(SignedScaling):
    """The abs stands around the log, so that shrinking counts as growth."""

    def forward(self, x):
        ldj = torch.abs(torch.log(torch.abs(self.a))).sum()
        return x * self.a, ldj.expand(len(x))


class SignedScalingMean(SignedScaling):
    """The logs are averaged, not summed."""

    def forward(self, x):
        ldj = torch.log(torch.abs(self.a)).mean()
        return x * self.a, ldj.expand(len(x))


class OneEntryScaled(nn.Module):
    """Scale the first entry only: here the log rightly counts once."""

    def __init__(self):
        super().__init__()
        self.factor = 3.0

    def forward(self, x):
        y = torch.cat([x[:, :1] * self.factor, x[:, 1:]], dim=1)
        return y, torch.full((len(x),), math.log(self.factor))


class AllButOneScaled(nn.Module):
    """Scale all entries but the first: one dim less counts."""

    def __init__(self):
        super().__init__()
        self.factor = 2.0

    def forward(self, x):
        y = torch.cat([x[:, :1], x[:, 1:] * self.factor], dim=1)
        ldj = math.log(self.factor) * (x.shape[1] - 1)
        return y, torch.full((len(x),), ldj)


class Shrinking(nn.Module):
    """Divide by learned factors: here the minus is right."""

    def __init__(self, dims=4):
        super().__init__()
        self.log_a = nn.Parameter(torch.linspace(-0.3, 0.6, dims))

    def forward(self, x):
        return x / torch.exp(self.log_a), -self.log_a.sum().expand(len(x))

    def inverse(self, y):
        return y * torch.exp(self.log_a), self.log_a.sum().expand(len(y))


class ScaledTwice(nn.Module):
    """Scale, and scale again: here twice is right."""

    def __init__(self, dims=4):
        super().__init__()
        self.log_a = nn.Parameter(torch.linspace(-0.3, 0.6, dims))

    def forward(self, x):
        y = x * self.log_a.exp() * self.log_a.exp()
        return y, 2 * self.log_a.sum().expand(len(x))


class PositiveScaling(nn.Module):
    """Scale by a softplus, which needs no abs."""

    def __init__(self, dims=4):
        super().__init__()
        self.raw = nn.Parameter(torch.linspace(-0.3, 0.6, dims))

    def forward(self, x):
        scale = nn.functional.softplus(self.raw)
        return x * scale, torch.log(scale).sum().expand(len(x))


class EulerForOneEntry(nn.Module):
    """Scale one entry by e: the ldj is exactly one."""

    def forward(self, x):
        y = torch.cat([x[:, :1] * math.e, x[:, 1:]], dim=1)
        return y, torch.ones(len(x))


ANIMALS = family(
    "scaling",
    (4,),
    right(Scaling),
    wrong("LDJ101", ScalingCountedOnce),
    wrong("LDJ103", ScalingCountedPerBatch, ties=("LDJ106",)),
    wrong("LDJ104", ScalingTurnedAround),
    wrong("LDJ118", ScalingPlusOne),
    wrong("LDJ302", ScalingInverseRepeats, "inverse"),
    wrong("LDJ301", ScalingInverseMultiplies, None),
    wrong("LDJ303", ScalingInverseSilent, "inverse"),
    right(FixedScaling),
    wrong("LDJ107", FixedScalingBase2),
    wrong("LDJ107", FixedScalingBase10),
    wrong("LDJ108", FixedScalingUnlogged),
    wrong("LDJ114", FixedScalingSquared),
    wrong("LDJ119", FixedScalingForgotten),
    wrong("LDJ101", FixedScalingInverseCountedOnce, "inverse"),
    right(SignedScaling, "LDJ115"),
    wrong("LDJ109", SignedScalingNoAbs),
    wrong("LDJ115", SignedScalingAbsOutside),
    wrong("LDJ105", SignedScalingMean),
    right(OneEntryScaled, "LDJ101"),
    right(AllButOneScaled, "LDJ103"),
    right(Shrinking, "LDJ104"),
    right(ScaledTwice, "LDJ114"),
    right(PositiveScaling, "LDJ109"),
    right(EulerForOneEntry, "LDJ118"),
)
