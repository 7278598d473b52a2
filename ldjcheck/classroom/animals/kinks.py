"""Maps in pieces: pairs with `forward` and `backward`, in the manner of tutorials."""

import math

import torch
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class LeakyReLU(nn.Module):
    """Flatten the negative side by a fixed slope."""

    def __init__(self, slope=0.2):
        super().__init__()
        self.slope = slope

    def forward(self, x):
        below = x < 0
        z = torch.where(below, self.slope * x, x)
        log_det = torch.where(below, math.log(self.slope), 0.0).sum(dim=1)
        return z, log_det

    def backward(self, z):
        below = z < 0
        x = torch.where(below, z / self.slope, z)
        log_det = torch.where(below, -math.log(self.slope), 0.0).sum(dim=1)
        return x, log_det


class LeakyReLUOtherSide(LeakyReLU):
    """The slope is counted on the side that has none."""

    def forward(self, x):
        below = x < 0
        z = torch.where(below, self.slope * x, x)
        log_det = torch.where(~below, math.log(self.slope), 0.0).sum(dim=1)
        return z, log_det


class LeakyReLUUnlogged(LeakyReLU):
    """The slope itself is summed, without a log."""

    def forward(self, x):
        below = x < 0
        z = torch.where(below, self.slope * x, x)
        log_det = torch.where(below, self.slope, 0.0).sum(dim=1)
        return z, log_det


class LeakyReLUEverywhere(LeakyReLU):
    """The slope is counted for every entry, flattened or not."""

    def forward(self, x):
        below = x < 0
        z = torch.where(below, self.slope * x, x)
        log_det = torch.full((len(x),), math.log(self.slope)) * x.shape[1]
        return z, log_det


class LeakyReLUSteeper(LeakyReLU):
    """The sign is that of the way back."""

    def forward(self, x):
        below = x < 0
        z = torch.where(below, self.slope * x, x)
        log_det = torch.where(below, -math.log(self.slope), 0.0).sum(dim=1)
        return z, log_det


class LeakyReLUBackRepeats(LeakyReLU):
    """On the way back the minus is missing."""

    def backward(self, z):
        below = z < 0
        x = torch.where(below, z / self.slope, z)
        log_det = torch.where(below, math.log(self.slope), 0.0).sum(dim=1)
        return x, log_det


class LeakyReLUBackMultiplies(LeakyReLU):
    """On the way back the slope is multiplied by, not divided by."""

    def backward(self, z):
        below = z < 0
        x = torch.where(below, z * self.slope, z)
        log_det = torch.where(below, math.log(self.slope), 0.0).sum(dim=1)
        return x, log_det


class BoundedSinh(nn.Module):
    """A hyperbolic sine between -1 and 1, straight lines outside."""

    def slope(self, x):
        return math.cosh(1.0) if x is None else torch.cosh(x)

    def forward(self, x):
        inside = x.abs() < 1.0
        far = torch.sign(x) * (math.sinh(1.0) + self.slope(None) * (x.abs() - 1.0))
        z = torch.where(inside, torch.sinh(x), far)
        outer = math.log(self.slope(None))
        log_det = torch.where(inside, torch.log(self.slope(x)), outer).sum(dim=1)
        return z, log_det


class BoundedSinhOneTail(BoundedSinh):
    """The lower tail gets the formula of the middle."""

    def forward(self, x):
        inside = x.abs() < 1.0
        far = torch.sign(x) * (math.sinh(1.0) + self.slope(None) * (x.abs() - 1.0))
        z = torch.where(inside, torch.sinh(x), far)
        outer = math.log(self.slope(None))
        log_det = torch.where(x < 1.0, torch.log(self.slope(x)), outer).sum(dim=1)
        return z, log_det


class BoundedSinhFlatTails(BoundedSinh):
    """The tails are counted as if they had slope 1."""

    def forward(self, x):
        inside = x.abs() < 1.0
        far = torch.sign(x) * (math.sinh(1.0) + self.slope(None) * (x.abs() - 1.0))
        z = torch.where(inside, torch.sinh(x), far)
        log_det = torch.where(inside, torch.log(self.slope(x)), 0.0).sum(dim=1)
        return z, log_det


class BoundedSinhUnlogged(BoundedSinh):
    """In the middle the slope is summed without a log."""

    def forward(self, x):
        inside = x.abs() < 1.0
        far = torch.sign(x) * (math.sinh(1.0) + self.slope(None) * (x.abs() - 1.0))
        z = torch.where(inside, torch.sinh(x), far)
        outer = math.log(self.slope(None))
        log_det = torch.where(inside, self.slope(x), outer).sum(dim=1)
        return z, log_det


class LearnedKnees(nn.Module):
    """A learned slope per entry and side, both positive."""

    def __init__(self, dims=3):
        super().__init__()
        self.log_low = nn.Parameter(torch.linspace(-0.8, 0.3, dims))
        self.log_high = nn.Parameter(torch.linspace(0.5, -0.2, dims))

    def log_slopes(self, x):
        return torch.where(x < 0, self.log_low, self.log_high)

    def forward(self, x):
        s = self.log_slopes(x)
        return x * torch.exp(s), s.sum(dim=1)

    def backward(self, z):
        s = self.log_slopes(z)
        return z * torch.exp(-s), -s.sum(dim=1)


class LearnedKneesMean(LearnedKnees):
    """The log-slopes are averaged."""

    def forward(self, x):
        s = self.log_slopes(x)
        return x * torch.exp(s), s.mean(dim=1)


class LearnedKneesOneSide(LearnedKnees):
    """Only the slopes of the lower side are counted, on both sides."""

    def forward(self, x):
        s = self.log_slopes(x)
        return x * torch.exp(s), self.log_low.sum().expand(len(x))


class LearnedKneesAbs(LearnedKnees):
    """Flat sides are counted as if they were steep."""

    def forward(self, x):
        s = self.log_slopes(x)
        return x * torch.exp(s), s.abs().sum(dim=1)


ANIMALS = family(
    "kinks",
    (3,),
    right(LeakyReLU, "LDJ116"),
    wrong("LDJ116", LeakyReLUOtherSide),
    wrong("LDJ108", LeakyReLUUnlogged),
    wrong("LDJ116", LeakyReLUEverywhere),
    wrong("LDJ104", LeakyReLUSteeper),
    wrong("LDJ302", LeakyReLUBackRepeats, "inverse"),
    wrong("LDJ301", LeakyReLUBackMultiplies, None),
    right(BoundedSinh, "LDJ116"),
    wrong("LDJ116", BoundedSinhOneTail),
    wrong("LDJ116", BoundedSinhFlatTails),
    wrong("LDJ108", BoundedSinhUnlogged),
    right(LearnedKnees),
    wrong("LDJ105", LearnedKneesMean),
    wrong("LDJ116", LearnedKneesOneSide),
    wrong("LDJ115", LearnedKneesAbs),
)
