"""Layers at the edge of what can be proved, and those that only look like it."""

import math

import torch
from torch import nn

from ldjcheck.classroom.animal import family, right, wrong


class Slanted(nn.Module):
    """Multiply by a matrix whose columns point in different directions."""

    apart = 2.0

    def __init__(self):
        super().__init__()
        rows = [[1.0, 1.0], [1.0, 1.0 + self.apart]]
        self.weight = torch.tensor(rows, dtype=torch.float64)

    def forward(self, x):
        y = x @ self.weight
        return y, torch.linalg.slogdet(self.weight)[1].expand(len(x))


class SlantedTooFar(Slanted):
    """The columns point in the same direction, but for the twelfth digit."""

    apart = 1e-12


class Doubling(nn.Module):
    """Multiply by two."""

    def forward(self, x):
        return 2 * x, torch.full((len(x),), x.shape[1] * math.log(2))


class Dithering(Doubling):
    """A pattern is added that jumps, and that gradients do not see."""

    def forward(self, x):
        y, ldj = super().forward(x)
        return y + torch.sin(1e5 * x).round() / 1000, ldj


class HyperbolicSine(torch.autograd.Function):
    """sinh, with its derivative written by hand."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sinh(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * torch.cosh(x)


class BackwardByHand(nn.Module):
    """A custom backward, and a right one."""

    def forward(self, x):
        return HyperbolicSine.apply(x), torch.log(torch.cosh(x)).sum(dim=1)


class BentLine(nn.Module):
    """x + tanh(W x) / 2, with the determinant of what that comes to."""

    def __init__(self, dims=3):
        super().__init__()
        self.weight = nn.Parameter(0.5 * torch.eye(dims) + 0.1)

    def inner(self, x):
        """Return the Jacobian of what is added to x, `(batch, dims, dims)`."""
        slope = 1 - torch.tanh(x @ self.weight.T) ** 2
        return 0.5 * slope.unsqueeze(2) * self.weight

    def forward(self, x):
        y = x + 0.5 * torch.tanh(x @ self.weight.T)
        jacobian = torch.eye(x.shape[1]) + self.inner(x)
        return y, torch.linalg.slogdet(jacobian)[1]


class BentLineBySeries(BentLine):
    """The logarithm of the determinant as a power series, long enough."""

    terms = 120

    def forward(self, x):
        y = x + 0.5 * torch.tanh(x @ self.weight.T)
        inner = self.inner(x)
        power, ldj = inner, torch.zeros(len(x))
        for k in range(1, self.terms + 1):
            trace = power.diagonal(dim1=1, dim2=2).sum(dim=1)
            ldj = ldj + (-1) ** (k + 1) * trace / k
            power = power @ inner
        return y, ldj


class BentLineCutShort(BentLineBySeries):
    """The series is cut off after two terms."""

    terms = 2


class SlopeOfTheSide(nn.Module):
    """Gradients are off where the side is told, which is none of theirs."""

    def __init__(self, dims=4):
        super().__init__()
        self.low = nn.Parameter(torch.linspace(-0.4, 0.3, dims))
        self.high = nn.Parameter(torch.linspace(0.5, -0.2, dims))

    def forward(self, x):
        with torch.no_grad():
            above = x > 0
        s = torch.where(above, self.high, self.low)
        return x * torch.exp(s), s.sum(dim=1)


class BackByTheWayThere(nn.Module):
    """The way back asks the way there, and turns its ldj around."""

    def __init__(self, dims=4):
        super().__init__()
        self.log_a = nn.Parameter(torch.linspace(-0.4, 0.9, dims))

    def forward(self, x):
        return x * torch.exp(self.log_a), self.log_a.sum().repeat(len(x))

    def inverse(self, y):
        x = y * torch.exp(-self.log_a)
        return x, -self.forward(x)[1]


class Regrouped(nn.Module):
    """Four pixels become four channels: another shape, and as many dims."""

    def forward(self, x):
        b, c, h, w = x.shape
        y = 3 * x.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4)
        ldj = torch.full((b,), c * h * w * math.log(3))
        return y.reshape(b, 4 * c, h // 2, w // 2), ldj


class PrecisionOfTheInput(nn.Module):
    """Whatever precision comes in is what it computes in."""

    def __init__(self, dims=4):
        super().__init__()
        self.log_a = nn.Parameter(torch.linspace(-0.4, 0.9, dims))

    def forward(self, x):
        log_a = self.log_a.to(x.dtype)
        return x * torch.exp(log_a), log_a.sum().repeat(len(x))


ANIMALS = family(
    "proof",
    (4,),
    right(Slanted, "LDJ402", shape=(2,)),
    wrong("LDJ402", SlantedTooFar, shape=(2,)),
    right(Doubling, "LDJ404"),
    wrong("LDJ404", Dithering),
    right(BackwardByHand, "LDJ404"),
    right(BentLine, "LDJ199", shape=(3,)),
    right(BentLineBySeries, "LDJ199", shape=(3,)),
    wrong("LDJ199", BentLineCutShort, twin=BentLine, shape=(3,)),
    right(SlopeOfTheSide, "LDJ210"),
    right(BackByTheWayThere, "LDJ302"),
    right(Regrouped, "LDJ305", shape=(1, 2, 4)),
    right(PrecisionOfTheInput, "LDJ212"),
)
