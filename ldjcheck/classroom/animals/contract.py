"""Right numbers, broken promises: what a layer must not do while it computes."""

import torch
import torch.nn.functional as F
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class Diagonal(nn.Module):
    """A factor for each entry; nothing else happens."""

    def __init__(self, dims=4):
        super().__init__()
        self.log_a = nn.Parameter(torch.linspace(-0.4, 0.7, dims))

    def forward(self, x):
        return x * torch.exp(self.log_a), self.log_a.sum().repeat(len(x))

    def inverse(self, y):
        return y * torch.exp(-self.log_a), -self.log_a.sum().repeat(len(y))


class DiagonalOneNumber(Diagonal):
    """One number for all samples, of shape ()."""

    def forward(self, x):
        return x * torch.exp(self.log_a), self.log_a.sum()

    def inverse(self, y):
        return y * torch.exp(-self.log_a), -self.log_a.sum()


class DiagonalPythonNumber(Diagonal):
    """A Python number for all samples."""

    def __init__(self):
        super().__init__()
        self.factor = 2.0

    def forward(self, x):
        return x * self.factor, x[0].numel() * torch.tensor(2.0).log().item()

    def inverse(self, y):
        return y / self.factor, -y[0].numel() * torch.tensor(2.0).log().item()


class DiagonalInPlace(Diagonal):
    """The input is scaled in place: the caller's tensor changes."""

    def forward(self, x):
        x.mul_(torch.exp(self.log_a).detach())
        return x, self.log_a.sum().repeat(len(x))


class DiagonalThroughAView(Diagonal):
    """The first entry of the input is overwritten through a view."""

    def forward(self, x):
        with torch.no_grad():
            x[:, :1].mul_(2.0)
        ldj = self.log_a.sum() + torch.log(torch.tensor(2.0))
        return x * torch.exp(self.log_a), ldj.repeat(len(x))

    def inverse(self, y):
        x = y * torch.exp(-self.log_a)
        first = x[:, :1] / 2.0
        ldj = -self.log_a.sum() - torch.log(torch.tensor(2.0))
        return torch.cat([first, x[:, 1:]], dim=1), ldj.repeat(len(y))


class CentredByTheBatch(Diagonal):
    """The mean of the batch is taken away: samples are no longer independent."""

    def forward(self, x):
        y = (x - x.mean(dim=0)) * torch.exp(self.log_a)
        return y, self.log_a.sum().repeat(len(x))

    def inverse(self, y):
        raise NotImplementedError


class CentredByTheSample(Diagonal):
    """The first entry is taken away from the others: samples stay independent."""

    def forward(self, x):
        first = x[:, :1]
        y = torch.cat([first, x[:, 1:] - first], dim=1) * torch.exp(self.log_a)
        return y, self.log_a.sum().repeat(len(x))

    def inverse(self, y):
        x = y * torch.exp(-self.log_a)
        first = x[:, :1]
        x = torch.cat([first, x[:, 1:] + first], dim=1)
        return x, -self.log_a.sum().repeat(len(y))


class DropoutScale(Diagonal):
    """Dropout on the log-factors that `eval` does not switch off."""

    def forward(self, x):
        log_a = F.dropout(self.log_a, p=0.5, training=True)
        return x * torch.exp(log_a), log_a.sum().repeat(len(x))

    def inverse(self, y):
        raise NotImplementedError


class DropoutInTrainingOnly(Diagonal):
    """Dropout that `eval` switches off."""

    def forward(self, x):
        log_a = F.dropout(self.log_a, p=0.5, training=self.training)
        return x * torch.exp(log_a), log_a.sum().repeat(len(x))

    def inverse(self, y):
        return y * torch.exp(-self.log_a), -self.log_a.sum().repeat(len(y))


class Drifting(Diagonal):
    """Every call makes the factors a little larger."""

    def forward(self, x):
        self.log_a.data += 0.05
        return x * torch.exp(self.log_a), self.log_a.sum().repeat(len(x))

    def inverse(self, y):
        raise NotImplementedError


class CutGradient(Diagonal):
    """The ldj is detached: training never hears of it."""

    def forward(self, x):
        y = x * torch.exp(self.log_a)
        return y, self.log_a.detach().sum().repeat(len(x))


class CutByItem(Diagonal):
    """`.item()` makes a number of the ldj, and cuts its gradient."""

    def forward(self, x):
        y = x * torch.exp(self.log_a)
        return y, torch.full((len(x),), self.log_a.sum().item())


class RememberedLdj(nn.Module):
    """Squared growth; the ldj is computed from the input of the call."""

    def __init__(self):
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(0.3))

    def forward(self, x):
        self.ldj = self.slope(x)
        return torch.sinh(torch.exp(self.rate) * x), self.ldj

    def slope(self, x):
        a = torch.exp(self.rate)
        return (torch.log(torch.cosh(a * x)) + self.rate).sum(dim=1)


class StaleLdj(RememberedLdj):
    """The ldj of the first call is kept, whatever comes next."""

    def __init__(self):
        super().__init__()
        self.ldj = None

    def forward(self, x):
        if self.ldj is None or len(self.ldj) != len(x):
            self.ldj = self.slope(x).detach()
        return torch.sinh(torch.exp(self.rate) * x), self.ldj


class StaleScale(Diagonal):
    """The sum of the log-factors is cached, and outlives a change of them."""

    def __init__(self):
        super().__init__()
        self.cached = self.log_a.sum().item()

    def forward(self, x):
        y = x * torch.exp(self.log_a)
        return y, torch.full((len(x),), self.cached)


class Float32Inside(Diagonal):
    """The factors are computed in float32, whatever comes in."""

    def forward(self, x):
        x = x.to(torch.float32)
        return x * torch.exp(self.log_a), self.log_a.sum().repeat(len(x))

    def inverse(self, y):
        y = y.to(torch.float32)
        return y * torch.exp(-self.log_a), -self.log_a.sum().repeat(len(y))


class SoftSinh(nn.Module):
    """sinh, whose log-derivative is written so that nothing overflows."""

    def forward(self, x):
        log_cosh = x.abs() + torch.log1p(torch.exp(-2 * x.abs())) - 0.6931471805599453
        return torch.sinh(x), log_cosh.sum(dim=1)

    def inverse(self, y):
        return torch.asinh(y), -0.5 * torch.log1p(y**2).sum(dim=1)


class MaskedScale(nn.Module):
    """Every other entry has a factor; the mask says which."""

    def __init__(self, dims=4):
        super().__init__()
        self.register_buffer("mask", (torch.arange(dims) % 2).float())
        self.log_a = nn.Parameter(torch.linspace(-0.4, 0.7, dims))

    def forward(self, x):
        log_a = self.mask * self.log_a
        return x * torch.exp(log_a), log_a.sum().repeat(len(x))


class LogOfTheMask(MaskedScale):
    """The mask is multiplied in before the log: log 0 is minus infinity."""

    def forward(self, x):
        y = x * torch.exp(self.mask * self.log_a)
        ldj = torch.log(self.mask * torch.exp(self.log_a)).sum()
        return y, ldj.repeat(len(x))


class AddsInPlace(nn.Module):
    """A running total is changed in place by `+=`."""

    def __init__(self, dims=4):
        super().__init__()
        self.log_a = nn.Parameter(torch.linspace(-0.4, 0.7, dims))

    def forward(self, z, ldj, reverse=False):
        if reverse:
            ldj -= self.log_a.sum()
            return z * torch.exp(-self.log_a), ldj
        ldj += self.log_a.sum()
        return z * torch.exp(self.log_a), ldj


class AddsOutOfPlace(AddsInPlace):
    """A running total is added to, and a new one returned."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return z * torch.exp(-self.log_a), ldj - self.log_a.sum()
        return z * torch.exp(self.log_a), ldj + self.log_a.sum()


class StartsAnew(AddsOutOfPlace):
    """The incoming total is set to zero before the layer adds its own."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return super().forward(z, ldj, reverse)
        ldj = torch.zeros_like(ldj)
        return z * torch.exp(self.log_a), ldj + self.log_a.sum()


class HalvesTheTotal(AddsOutOfPlace):
    """The incoming total is averaged with the layer's own."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return super().forward(z, ldj, reverse)
        return z * torch.exp(self.log_a), 0.5 * ldj + self.log_a.sum()


class DiagonalRow(Diagonal):
    """The ldj comes as a row (1, batch)."""

    def forward(self, x):
        y = x * torch.exp(self.log_a)
        return y, self.log_a.sum().repeat(len(x)).unsqueeze(0)


class DiagonalPerEntry(Diagonal):
    """The log-factors come back one by one, (batch, dims)."""

    def forward(self, x):
        return x * torch.exp(self.log_a), self.log_a.expand_as(x)


class DiagonalSquareTotal(AddsOutOfPlace):
    """A column is added to the total, which becomes a (batch, batch) matrix."""

    def forward(self, z, ldj, reverse=False):
        if reverse:
            return super().forward(z, ldj, reverse)
        own = self.log_a.expand_as(z).sum(dim=1, keepdim=True)
        return z * torch.exp(self.log_a), ldj + own


ANIMALS = family(
    "contract",
    (4,),
    right(Diagonal, "LDJ206"),
    wrong("LDJ203", DiagonalOneNumber),
    wrong("LDJ203", DiagonalPythonNumber),
    wrong("LDJ206", DiagonalInPlace, None),
    wrong("LDJ206", DiagonalThroughAView, None),
    wrong("LDJ207", CentredByTheBatch, None),
    right(CentredByTheSample, "LDJ207"),
    wrong("LDJ208", DropoutScale, None),
    right(DropoutInTrainingOnly, "LDJ208"),
    wrong("LDJ209", Drifting, None),
    wrong("LDJ210", CutGradient),
    wrong("LDJ210", CutByItem),
    right(RememberedLdj, "LDJ211"),
    wrong("LDJ211", StaleLdj, None),
    wrong("LDJ211", StaleScale),
    wrong("LDJ212", Float32Inside, None),
    right(SoftSinh),
    right(MaskedScale, "LDJ213"),
    wrong("LDJ213", LogOfTheMask),
    right(AddsOutOfPlace, "LDJ205"),
    wrong("LDJ205", AddsInPlace, None, twin=AddsOutOfPlace),
    wrong("LDJ204", StartsAnew),
    wrong("LDJ204", HalvesTheTotal),
    wrong("LDJ201", DiagonalRow),
    wrong("LDJ202", DiagonalPerEntry),
    wrong("LDJ201", DiagonalSquareTotal),
)
