"""Right layers of unusual form: no mistake, though it may look like one."""

import math

import torch
from torch import nn

from ldjcheck.classroom.animal import family, right


class TimeScale(nn.Module):
    """A factor for each channel of a sequence; frames are counted."""

    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.tensor([0.3, -0.5]))

    def forward(self, x):
        ldj = self.s.sum() * x.shape[2]
        return x * torch.exp(self.s)[:, None], ldj.expand(len(x))


class HalfSlope(nn.Module):
    """Every entry is halved; the log of one half is negative."""

    def forward(self, x):
        return 0.5 * x, torch.full((len(x),), -math.log(2.0) * x.shape[1])

    def inverse(self, y):
        return 2.0 * y, torch.full((len(y),), math.log(2.0) * y.shape[1])


class Swap(nn.Module):
    """The two halves change places."""

    def forward(self, x):
        half = x.shape[1] // 2
        return torch.cat([x[:, half:], x[:, :half]], dim=1), torch.zeros(len(x))

    def inverse(self, y):
        half = y.shape[1] - y.shape[1] // 2
        return torch.cat([y[:, half:], y[:, :half]], dim=1), torch.zeros(len(y))


class ScaleByNorm(nn.Module):
    """The first half is scaled by the size of the second."""

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        s = torch.tanh(b.norm(dim=1))
        y = torch.cat([a * torch.exp(s)[:, None], b], dim=1)
        return y, s * a.shape[1]


class ColumnScale(nn.Module):
    """A factor for each column of an image; rows and channels are counted."""

    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.linspace(-0.4, 0.7, 5))

    def forward(self, x):
        ldj = self.s.sum() * x.shape[1] * x.shape[2]
        return x * torch.exp(self.s), ldj.expand(len(x))


class Gauge(nn.Module):
    """sinh(x) + 2x, whose derivative stands in a helper."""

    def forward(self, x):
        y = torch.sinh(x) + 2 * x
        return y, self.slope(x).log().flatten(1).sum(dim=1)

    def slope(self, x):
        return torch.cosh(x) + 2


class PairOfScales(nn.Module):
    """Two scales multiplied; the log of the product is counted."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.8, 1.3, 0.6, 1.7]))
        self.b = nn.Parameter(torch.tensor([1.1, -0.7, 0.9, 1.2]))

    def forward(self, x):
        scale = self.a * self.b
        return x * scale, scale.abs().log().sum().expand(len(x))


class Residual(nn.Module):
    """x plus a gentle function of the sum, by the matrix determinant lemma."""

    def forward(self, x):
        total = x.sum(dim=1)
        y = x + 0.2 * torch.tanh(total)[:, None]
        slope = 0.2 * (1 - torch.tanh(total) ** 2)
        return y, torch.log1p(slope * x.shape[1])


ANIMALS = family(
    "unusual",
    (4,),
    right(HalfSlope),
    right(Swap),
    right(ScaleByNorm),
    right(ColumnScale, shape=(2, 3, 5)),
    right(Gauge),
    right(PairOfScales),
    right(Residual),
    right(TimeScale, shape=(2, 5)),
)
