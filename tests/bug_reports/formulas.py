"""Layers with the wrong formula, at the wrong point, or without a term."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import softplus


class OverwrittenTotal(nn.Module):
    """The second step's log-det takes the place of the first one's."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.tensor([0.4, -0.2, 0.3]))
        self.second = nn.Parameter(torch.tensor([-0.5, 0.6, 0.1]))

    def scaled(self, x, log_scale):
        y = torch.sinh(x * log_scale.exp())
        return y, (log_scale + 0.5 * torch.log1p(y**2)).sum(-1)

    def forward(self, x):
        x, log_diff = self.scaled(x, self.first)
        x, log_diff = self.scaled(x, self.second)
        return x, log_diff


class SaturatedTanh(nn.Module):
    """log(1 - y²) is -inf where tanh has come to 1."""

    def forward(self, x):
        y = torch.tanh(x)
        return y, torch.log(1 - y**2).sum(-1)


class CarefulTanh(nn.Module):
    """A constant keeps the logarithm finite, and moves it everywhere."""

    def forward(self, x):
        y = torch.tanh(x)
        return y, torch.log(1 - y**2 + 1e-6).sum(-1)


class PlanarWithLeakyReLU(nn.Module):
    """The slope is counted twice where it is not one."""

    def __init__(self, dims: int = 3, slope: float = 0.1) -> None:
        super().__init__()
        self.slope = slope
        self.w = nn.Parameter(0.5 * torch.randn(dims))
        self.u = nn.Parameter(0.5 * torch.randn(dims))

    def forward(self, x):
        inner = x @ self.w
        slope = torch.where(inner < 0, self.slope, 1.0)
        psi = slope[:, None] * self.w
        y = x + (slope * inner)[:, None] * self.u
        return y, torch.log(torch.abs(1 + (slope[:, None] * self.u * psi).sum(-1)))


class LogOfDet(nn.Module):
    """The logarithm of a determinant that may be negative."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(dims).flip(0) + 0.1 * torch.randn(3, 3))

    def forward(self, x):
        return x @ self.weight.T, torch.log(torch.det(self.weight)).expand(len(x))


class FallingMap(nn.Module):
    """A map that may fall as well as rise, its slope logged as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([0.7, -1.3, 0.4]))

    def forward(self, x):
        return x * self.slope + 1, torch.log(self.slope).sum().expand(len(x))


class ConvOfSteps(nn.Module):
    """`logdet` of a matrix between channels, at each step of time."""

    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linalg.qr(torch.randn(channels, channels))[0])

    def forward(self, x, reverse=False):
        if reverse:
            return torch.einsum("ij,bjt->bit", torch.inverse(self.weight), x)
        logdet = torch.logdet(self.weight) * x.shape[2]
        return torch.einsum("ij,bjt->bit", self.weight, x), logdet


class UnderflowingDet(nn.Module):
    """The determinant is too small for a number, its logarithm is not."""

    def __init__(self, dims: int = 12) -> None:
        super().__init__()
        weight = torch.eye(dims) + 0.1 * torch.randn(dims, dims)
        self.weight = nn.Parameter(1e-30 * weight)

    def forward(self, x):
        return x @ self.weight, torch.log(torch.det(self.weight).abs()).expand(len(x))


class JacobianOfTheValue(nn.Module):
    """The derivative is taken at what comes out, not at what goes in."""

    def forward(self, x):
        y = torch.sinh(x)
        return y, torch.log(torch.cosh(y)).sum(-1)


class RememberedLogDet(nn.Module):
    """The log-det of the last call is handed out, whatever is asked about."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.scale = nn.Parameter(0.3 * torch.randn(dims))
        self.cached = None

    def forward(self, x):
        y = torch.sinh(x * self.scale.exp())
        self.cached = (self.scale + 0.5 * torch.log1p(y**2)).sum(-1)
        return y

    def log_abs_det_jacobian(self, x, y):
        return self.cached


class PowerSeriesOfNeumann(nn.Module):
    """The exact series of log det(I + J) has a 1/k, which the one of its gradient lacks."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        weight = torch.randn(dims, dims)
        self.weight = nn.Parameter(0.4 * weight / torch.linalg.matrix_norm(weight, 2))

    def forward(self, x):
        y = x + torch.tanh(x @ self.weight.T)
        jacobian = (1 - torch.tanh(x @ self.weight.T) ** 2)[:, :, None] * self.weight
        power, log_det = jacobian, torch.zeros(len(x))
        for k in range(1, 41):
            trace = power.diagonal(dim1=1, dim2=2).sum(1)
            log_det = log_det + (-1) ** (k + 1) * trace
            power = power @ jacobian
        return y, log_det


class LeakyAsIfCut(nn.Module):
    """A leaky ReLU with the derivative of the one that does not leak."""

    def __init__(self, slope: float = 0.2) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x):
        y = torch.where(x > 0, x, self.slope * x)
        return y, torch.log((x > 0).to(x.dtype)).sum(-1)


class ActionLimit(nn.Module):
    """The action is scaled to its limit after its log-det was taken."""

    def __init__(self, limit: float = 3.0) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, u):
        log_det = 2 * (torch.log(torch.tensor(2.0)) - u - softplus(-2 * u))
        action = torch.tanh(u)
        action = self.limit * action
        return action, log_det.sum(-1)


class DerivativeAtTheAction(nn.Module):
    """The formula for u is given the action a = tanh(u)."""

    def forward(self, u):
        a = torch.tanh(u)
        return a, 2 * (torch.log(torch.tensor(2.0)) - a - softplus(-2 * a)).sum(-1)


class TanhTwice(nn.Module):
    """The action is squashed once more where its derivative is taken."""

    def forward(self, u):
        action = torch.tanh(u)
        return action, torch.log(1 - torch.tanh(action) ** 2).sum(-1)


class LargerThanOne(nn.Module):
    """1 - a² of an action that may be larger than one."""

    def __init__(self, scale: float = 2.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, u):
        action = self.scale * torch.tanh(u)
        return action, torch.log(1 - action**2 + 1e-6).sum(-1)


class CorrectionForNothing(nn.Module):
    """A correction for tanh where nothing is squashed."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.log_std = nn.Parameter(0.3 * torch.randn(dims))

    def forward(self, x):
        action = x * self.log_std.exp()
        squash = 2 * (torch.log(torch.tensor(2.0)) - action - softplus(-2 * action))
        return action, self.log_std.sum() + squash.sum(-1)


class PixelsToHalves(nn.Module):
    """Pixels come to [-0.5, 0.5], and nobody counts that."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(0.3 * torch.randn(2, 1, 1))

    def forward(self, x):
        x = x / 256 - 0.5
        ldj = self.log_scale.sum() * x.shape[2] * x.shape[3]
        return x * self.log_scale.exp(), ldj.expand(len(x))


class TruncatedFarOut(nn.Module):
    """log(x - a) of x = exp(y) + a: what y was is lost to rounding far out."""

    def __init__(self, a: float = 6.5) -> None:
        super().__init__()
        self.a = a

    def forward(self, y):
        return torch.exp(y) + self.a, y.sum(-1)

    def inverse(self, x):
        y = torch.log(x - self.a)
        return y, -y.sum(-1)
