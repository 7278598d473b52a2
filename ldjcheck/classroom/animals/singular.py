"""Maps that lose something: dims, orientation, or the way back."""

import math

import torch
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class SplitWithoutPrior(nn.Module):
    """Drop half of the entries, and claim nothing about them."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return torch.cat([z, torch.zeros_like(z)], dim=1), ldj
        return z.chunk(2, dim=1)[0], ldj


class SplitWithPrior(nn.Module):
    """Drop half of the entries; the standard normal log-density of them is added."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            drawn = torch.randn_like(z)
            return torch.cat([z, drawn], dim=1), ldj - self.log_p(drawn)
        kept, dropped = z.chunk(2, dim=1)
        return kept, ldj + self.log_p(dropped)

    def log_p(self, v):
        return (-0.5 * v**2 - 0.5 * math.log(2 * math.pi)).sum(dim=1)


class SplitPriorUnnormalised(SplitWithPrior):
    """The normal density lacks its constant."""

    def log_p(self, v):
        return (-0.5 * v**2).sum(dim=1)


class SplitPriorTurned(SplitWithPrior):
    """The log-density is taken away, not added."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return super().forward(z, ldj, reverse)
        kept, dropped = z.chunk(2, dim=1)
        return kept, ldj - self.log_p(dropped)


class SplitPriorOfTheKept(SplitWithPrior):
    """The density of the part that is kept is added."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return super().forward(z, ldj, reverse)
        kept, _ = z.chunk(2, dim=1)
        return kept, ldj + self.log_p(kept)


class Cubing(nn.Module):
    """x + x**3, which always rises."""

    def forward(self, x):
        return x + x**3, torch.log1p(3 * x**2).sum(dim=1)


class Squaring(nn.Module):
    """x**2 falls below zero and rises above it: no way back."""

    def forward(self, x):
        return x**2, torch.log(torch.abs(2 * x)).sum(dim=1)


class Waving(nn.Module):
    """x + 2 sin(x) goes up and down."""

    def forward(self, x):
        slope = 1 + 2 * torch.cos(x)
        return x + 2 * torch.sin(x), torch.log(torch.abs(slope)).sum(dim=1)


class Projecting(nn.Module):
    """The mean is taken away from every entry: the sum of them is lost."""

    def forward(self, x):
        return x - x.mean(dim=1, keepdim=True), torch.zeros(len(x))


class HalfCentred(nn.Module):
    """Half of the mean is taken away: what is lost can be had back."""

    def forward(self, x):
        y = x - 0.5 * x.mean(dim=1, keepdim=True)
        return y, torch.full((len(x),), math.log(0.5))

    def inverse(self, y):
        x = y + y.mean(dim=1, keepdim=True)
        return x, torch.full((len(y),), -math.log(0.5))


class BothWaysTurned(nn.Module):
    """Both directions report the ldj of the other one."""

    def __init__(self, dims=4):
        super().__init__()
        self.log_a = nn.Parameter(torch.linspace(-0.4, 0.9, dims))

    def forward(self, x):
        return x * torch.exp(self.log_a), -self.log_a.sum().repeat(len(x))

    def inverse(self, y):
        return y * torch.exp(-self.log_a), self.log_a.sum().repeat(len(y))


class BothWaysRight(BothWaysTurned):
    """Each direction reports its own ldj."""

    def forward(self, x):
        return x * torch.exp(self.log_a), self.log_a.sum().repeat(len(x))

    def inverse(self, y):
        return y * torch.exp(-self.log_a), -self.log_a.sum().repeat(len(y))


class SteepMatrix(nn.Module):
    """Rows that point in different directions, however steep."""

    def __init__(self):
        super().__init__()
        rows = [[1.0, 2.0, 3.0], [2.0, 0.5, -1.0], [0.5, -1.0, 0.25]]
        self.register_buffer("m", torch.tensor(rows))

    def forward(self, x):
        return x @ self.m.t(), torch.linalg.slogdet(self.m)[1].repeat(len(x))


ANIMALS = family(
    "singular",
    (4,),
    wrong("LDJ305", SplitWithoutPrior, None, twin=SplitWithPrior),
    right(SplitWithPrior, "LDJ501", admits=("LDJ305",)),
    wrong("LDJ501", SplitPriorUnnormalised),
    wrong("LDJ501", SplitPriorTurned),
    wrong("LDJ501", SplitPriorOfTheKept),
    right(Cubing, "LDJ304"),
    wrong("LDJ304", Squaring, None, twin=Cubing),
    wrong("LDJ304", Waving, None, twin=Cubing),
    wrong("LDJ304", Projecting, None, twin=HalfCentred),
    right(HalfCentred, "LDJ304"),
    right(BothWaysRight, "LDJ403"),
    wrong("LDJ104", BothWaysTurned, twin=BothWaysRight, beside=("LDJ403",)),
    right(SteepMatrix, "LDJ402", shape=(3,)),
)
