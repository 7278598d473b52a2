"""Right layers that look wrong, or are seldom met: pairs, all without a mistake."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from ldjcheck.classroom.animal import family, right


class MeanTimesCount(nn.Module):
    """A mean that is multiplied by its count is a sum."""

    def forward(self, x):
        return torch.exp(x), x.mean(dim=1) * x.shape[1]


class SumOfConstants(nn.Module):
    """A sum over everything, where nothing depends on the sample."""

    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.linspace(-0.3, 0.8, 4))

    def forward(self, x):
        return x * self.s.exp(), self.s.sum().repeat(len(x))


class CancellingTerms(nn.Module):
    """Two steps cancel, and so do their terms."""

    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.linspace(-0.3, 0.8, 4))

    def forward(self, x):
        y = (x * 3.0).flip(1) / 3.0 * self.s.exp()
        ldj = math.log(3.0) * 4 - math.log(3.0) * 4 + self.s.sum()
        return y, ldj.expand(len(x))


class ShiftOnly(nn.Module):
    """A learned shift and a reversal: no volume moves."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.linspace(-1.0, 1.0, 4))

    def forward(self, x):
        return x.flip(1) + self.shift, torch.zeros(len(x))

    def inverse(self, y):
        return (y - self.shift).flip(1), torch.zeros(len(y))


class ShiftThenExp(nn.Module):
    """The shift has no term, the exponential has."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.linspace(-1.0, 1.0, 4))

    def forward(self, x):
        z = x.flip(1) + self.shift
        return torch.exp(z), z.sum(dim=1)


class Reversal(nn.Module):
    """The order of the entries is turned around."""

    def forward(self, x):
        return x.flip(1), torch.zeros(len(x))

    def inverse(self, y):
        return y.flip(1), torch.zeros(len(y))


class RandomOrder(nn.Module):
    """A fixed random order."""

    def __init__(self, dims=4):
        super().__init__()
        order = torch.randperm(dims, generator=torch.Generator().manual_seed(3))
        self.register_buffer("order", order)

    def forward(self, x):
        return x[:, self.order], torch.zeros(len(x))

    def inverse(self, y):
        return y[:, torch.argsort(self.order)], torch.zeros(len(y))


class Squeeze(nn.Module):
    """Four pixels become four channels."""

    def forward(self, z, ldj, reverse=False):
        b, c, h, w = z.shape
        if reverse:
            z = z.reshape(b, c // 4, 2, 2, h, w).permute(0, 1, 4, 2, 5, 3)
            return z.reshape(b, c // 4, 2 * h, 2 * w), ldj
        z = z.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4)
        return z.reshape(b, 4 * c, h // 2, w // 2), ldj


class SignFlip(nn.Module):
    """Every other entry changes its sign."""

    def __init__(self):
        super().__init__()
        self.register_buffer("sign", torch.tensor([1.0, -1.0, 1.0, -1.0]))

    def forward(self, x):
        return x * self.sign, torch.zeros(len(x))

    def inverse(self, y):
        return y * self.sign, torch.zeros(len(y))


class NegativeScale(nn.Module):
    """A negative factor, whose absolute value is logged."""

    def forward(self, x):
        return -2.5 * x, torch.full((len(x),), math.log(2.5) * x.shape[1])


class DoubleExp(nn.Module):
    """sinh of a sinh: two derivatives, each at its own point."""

    def forward(self, x):
        a = torch.sinh(0.5 * x)
        first = (torch.log(torch.cosh(0.5 * x)) + math.log(0.5)).sum(dim=1)
        return torch.sinh(a), first + torch.log(torch.cosh(a)).sum(dim=1)


class ArcSinh(nn.Module):
    """asinh, which shrinks what is far."""

    def forward(self, x):
        return torch.asinh(x), -0.5 * torch.log1p(x**2).sum(dim=1)

    def inverse(self, y):
        return torch.sinh(y), torch.log(torch.cosh(y)).sum(dim=1)


class LearnedPower(nn.Module):
    """Sign and size apart: |x| to a learned power above 1."""

    def __init__(self):
        super().__init__()
        self.raw = nn.Parameter(torch.tensor(0.3))

    def forward(self, x):
        p = 1 + F.softplus(self.raw)
        y = torch.sinh(x) * p
        return y, (torch.log(torch.cosh(x)) + torch.log(p)).sum(dim=1)


class Shear(nn.Module):
    """Each entry receives a learned part of all before it: a triangle with ones."""

    def __init__(self):
        super().__init__()
        self.part = nn.Parameter(torch.tensor(0.6))

    def forward(self, x):
        before = torch.cumsum(x, dim=1) - x
        return x + self.part * before, torch.zeros(len(x))


class Autoregressive(nn.Module):
    """Scale and shift of each entry come from those before it."""

    def __init__(self, dims=4):
        super().__init__()
        self.weight = nn.Parameter(0.3 * torch.randn(dims, dims))
        self.bias = nn.Parameter(torch.linspace(-0.5, 0.5, dims))

    def forward(self, x):
        h = torch.tanh(x @ torch.tril(self.weight, -1).t() + self.bias)
        return x * torch.exp(h) + h, h.sum(dim=1)

    def inverse(self, y):
        x = torch.zeros_like(y)
        for i in range(y.shape[1]):
            h = torch.tanh(x @ torch.tril(self.weight, -1).t() + self.bias)
            column = (y[:, i] - h[:, i]) * torch.exp(-h[:, i])
            x = torch.cat([x[:, :i], column[:, None], x[:, i + 1 :]], dim=1)
        h = torch.tanh(x @ torch.tril(self.weight, -1).t() + self.bias)
        return x, -h.sum(dim=1)


class ListOfLayers(nn.Module):
    """Three layers one after the other; their ldjs are added."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([SumOfConstants(), ShiftThenExp(), ArcSinh()])

    def forward(self, x):
        total = torch.zeros(len(x), dtype=x.dtype)
        for layer in self.layers:
            x, ldj = layer(x)
            total = total + ldj
        return x, total


class OffsetByOne(nn.Module):
    """A factor of e for all entries: the ldj is the number of dims."""

    def forward(self, x):
        return x * math.e, torch.full((len(x),), float(x.shape[1]))


class EvenRows(nn.Module):
    """Only the even rows of an image are scaled."""

    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.tensor(0.4))

    def forward(self, x):
        even = (torch.arange(x.shape[2]) % 2 == 0).to(x)[:, None]
        ldj = self.s * even.sum() * x.shape[1] * x.shape[3]
        return x * torch.exp(self.s * even), ldj.expand(len(x))


class TwoBranches(nn.Module):
    """x above 1 is stretched, and both sides count what they do."""

    def forward(self, x):
        far = x > 1.0
        y = torch.where(far, 1.0 + 3.0 * (x - 1.0), x)
        return y, torch.where(far, math.log(3.0), 0.0).sum(dim=1)


class CubeWithSlope(nn.Module):
    """x + x**3 / 3 by its derivative 1 + x**2."""

    def forward(self, x):
        return x + x**3 / 3, torch.log1p(x**2).sum(dim=1)


class Tempered(nn.Module):
    """A sigmoid with a learned temperature."""

    def __init__(self):
        super().__init__()
        self.log_t = nn.Parameter(torch.tensor(0.2))

    def forward(self, x):
        z = x * torch.exp(-self.log_t)
        slope = F.logsigmoid(z) + F.logsigmoid(-z) - self.log_t
        return torch.sigmoid(z), slope.sum(dim=1)


class BatchNormInEval(nn.Module):
    """Running averages normalise; in evaluation they are constants."""

    def __init__(self, dims=4):
        super().__init__()
        self.register_buffer("mean", torch.linspace(-0.5, 0.5, dims))
        self.register_buffer("var", torch.linspace(0.4, 1.9, dims))

    def forward(self, x):
        y = (x - self.mean) / torch.sqrt(self.var + 1e-5)
        return y, (-0.5 * torch.log(self.var + 1e-5)).sum().expand(len(x))

    def inverse(self, y):
        x = y * torch.sqrt(self.var + 1e-5) + self.mean
        return x, (0.5 * torch.log(self.var + 1e-5)).sum().expand(len(y))


class Decoupled(nn.Module):
    """Two halves, each scaled by a network of the other's start."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(2, 2)

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        s = torch.tanh(self.net(a))
        b = b * torch.exp(s)
        t = torch.tanh(self.net(b))
        a = a * torch.exp(t)
        return torch.cat([a, b], dim=1), s.sum(dim=1) + t.sum(dim=1)


class OnlyOneWay(nn.Module):
    """No way back is offered, which is no mistake."""

    def forward(self, x):
        return x + 0.5 * torch.tanh(x), torch.log1p(0.5 * (1 - torch.tanh(x) ** 2)).sum(
            dim=1
        )


class InverseNotOffered(OnlyOneWay):
    """The inverse says that it is not there."""

    def inverse(self, y):
        raise NotImplementedError


class MixedSigns(nn.Module):
    """A signed diagonal through `slogdet`."""

    def __init__(self):
        super().__init__()
        self.d = nn.Parameter(torch.tensor([0.8, -1.3, 0.6, 1.7]))

    def forward(self, x):
        ldj = torch.linalg.slogdet(torch.diag(self.d))[1]
        return x * self.d, ldj.expand(len(x))


class LogSumOfProduct(nn.Module):
    """The log of a product in place of a sum of logs."""

    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(torch.linspace(-0.3, 0.8, 4))

    def forward(self, x):
        scale = torch.exp(self.s)
        return x * scale, torch.log(torch.prod(scale)).expand(len(x))


class Softened(nn.Module):
    """log1p and expm1 in place of log and exp."""

    def forward(self, x):
        return torch.expm1(x), torch.log1p(torch.expm1(x)).sum(dim=1)

    def inverse(self, y):
        return torch.log1p(y), -torch.log1p(y).sum(dim=1)


ANIMALS = family(
    "innocents",
    (4,),
    right(MeanTimesCount, "LDJ105"),
    right(SumOfConstants, "LDJ106"),
    right(CancellingTerms, "LDJ111"),
    right(ShiftOnly, "LDJ401"),
    right(ShiftThenExp, "LDJ110"),
    right(Reversal, "LDJ118"),
    right(RandomOrder),
    right(Squeeze, shape=(2, 4, 6)),
    right(SignFlip, "LDJ109"),
    right(NegativeScale),
    right(DoubleExp),
    right(ArcSinh),
    right(LearnedPower),
    right(Shear, "LDJ119"),
    right(Autoregressive),
    right(ListOfLayers),
    right(OffsetByOne, "LDJ118"),
    right(EvenRows, "LDJ102", shape=(2, 3, 5)),
    right(TwoBranches),
    right(CubeWithSlope),
    right(Tempered),
    right(BatchNormInEval, "LDJ117"),
    right(Decoupled),
    right(OnlyOneWay, "LDJ301"),
    right(InverseNotOffered, "LDJ303"),
    right(MixedSigns),
    right(LogSumOfProduct),
    right(Softened),
)
