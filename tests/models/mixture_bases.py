"""Flows under a base of the model's own, written as a module with a `log_prob`."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Flow(nn.Module):
    """A coupling of four dims over any base."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 4))

    def log_prob(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=1)
        t, log_s = self.net(a).chunk(2, dim=1)
        z = torch.cat([a, b * log_s.exp() + t], dim=1)
        return self.base.log_prob(z) + log_s.sum(dim=1)  # type: ignore[operator]


class Conditional(nn.Module):
    """An affine map and a base that both ask for a context."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base, self.net = base, nn.Linear(3, 8)

    def log_prob(self, x: Tensor, context: Tensor) -> Tensor:
        t, log_s = self.net(context).chunk(2, dim=1)
        z = x * log_s.exp() + t
        return self.base.log_prob(z, context) + log_s.sum(dim=1)  # type: ignore[operator]


class Mixture(nn.Module):
    """Gaussians with their own means, scales and weights."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(3, 4))
        self.log_s = nn.Parameter(0.3 * torch.randn(3, 4))
        self.weight = nn.Parameter(0.3 * torch.randn(3))

    def weights(self) -> Tensor:
        return self.weight.log_softmax(0)

    def components(self, z: Tensor) -> Tensor:
        u = (z[:, None] - self.mean) / self.log_s.exp()
        return (-0.5 * u**2 - self.log_s - HALF_LOG_2PI).sum(dim=2)

    def log_prob(self, z: Tensor) -> Tensor:
        return torch.logsumexp(self.components(z) + self.weights(), dim=1)


class WithoutScales(Mixture):
    def components(self, z: Tensor) -> Tensor:
        u = (z[:, None] - self.mean) / self.log_s.exp()
        return (-0.5 * u**2 - HALF_LOG_2PI).sum(dim=2)


class WithoutConstant(Mixture):
    def components(self, z: Tensor) -> Tensor:
        u = (z[:, None] - self.mean) / self.log_s.exp()
        return (-0.5 * u**2 - self.log_s).sum(dim=2)


class WeightsAsTheyAre(Mixture):
    def weights(self) -> Tensor:
        return self.weight


class OfProbabilities(Mixture):
    """The same as a sum of probabilities, whose log is taken at last."""

    def log_prob(self, z: Tensor) -> Tensor:
        each = Normal(self.mean, self.log_s.exp()).log_prob(z[:, None]).sum(dim=2)
        return torch.log((each.exp() * self.weights().exp()).sum(dim=1))


class ProbabilitiesUnweighted(OfProbabilities):
    def weights(self) -> Tensor:
        return torch.zeros(3)


class Diagonal(nn.Module):
    """A normal density with a learned mean and scale."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(4))
        self.log_s = nn.Parameter(0.3 * torch.randn(4))

    def u(self, z: Tensor) -> Tensor:
        return (z - self.mean) / self.log_s.exp()

    def log_prob(self, z: Tensor) -> Tensor:
        return (-0.5 * self.u(z) ** 2 - self.log_s - HALF_LOG_2PI).sum(dim=1)


class DiagonalWithoutScale(Diagonal):
    def log_prob(self, z: Tensor) -> Tensor:
        return (-0.5 * self.u(z) ** 2 - HALF_LOG_2PI).sum(dim=1)


class DiagonalOnAverage(Diagonal):
    def log_prob(self, z: Tensor) -> Tensor:
        return (-0.5 * self.u(z) ** 2 - self.log_s - HALF_LOG_2PI).mean(dim=1)


class ConstantOnce(Diagonal):
    def log_prob(self, z: Tensor) -> Tensor:
        return (-0.5 * self.u(z) ** 2 - self.log_s).sum(dim=1) - HALF_LOG_2PI


class Logistic(Diagonal):
    def log_prob(self, z: Tensor) -> Tensor:
        u = self.u(z)
        return (-u - 2 * functional.softplus(-u) - self.log_s).sum(dim=1)


class StudentT(Diagonal):
    """With four degrees of freedom, dim by dim."""

    def constant(self, dims: int) -> float:
        return (
            math.lgamma((4 + dims) / 2)
            - math.lgamma(2)
            - dims / 2 * math.log(4 * math.pi)
        )

    def log_prob(self, z: Tensor) -> Tensor:
        return (
            self.constant(1) - 2.5 * torch.log1p(self.u(z) ** 2 / 4) - self.log_s
        ).sum(1)


class StudentTOfAnotherPower(StudentT):
    def log_prob(self, z: Tensor) -> Tensor:
        return (
            self.constant(1) - 2.0 * torch.log1p(self.u(z) ** 2 / 4) - self.log_s
        ).sum(1)


class JointStudentT(StudentT):
    """All dims share one radius: no sum over the dims, nor quadratic."""

    def log_prob(self, z: Tensor) -> Tensor:
        r = (self.u(z) ** 2).sum(dim=1)
        return self.constant(4) - 4 * torch.log1p(r / 4) - self.log_s.sum()


class JointStudentTTurned(JointStudentT):
    def log_prob(self, z: Tensor) -> Tensor:
        r = (self.u(z) ** 2).sum(dim=1)
        return self.constant(4) - 4 * torch.log1p(r / 4) + 1.0 - self.log_s.sum()


class Box(nn.Module):
    """Uniform between -6 and 6, and minus infinity outside."""

    dims = 4

    def log_prob(self, z: Tensor) -> Tensor:
        inside = ((z >= -6) & (z <= 6)).all(dim=1)
        level = z.new_full((len(z),), -self.dims * math.log(12))
        return torch.where(inside, level, level.new_tensor(-math.inf))


class BoxOfOneDim(Box):
    dims = 1


class Energy(nn.Module):
    """A density up to a constant that nobody knows."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def log_prob(self, z: Tensor) -> Tensor:
        return self.net(z)[:, 0] - 3.0 - 0.5 * (z**2).sum(1) - 4 * HALF_LOG_2PI


class OfContext(nn.Module):
    """A normal density whose mean and scale are made of a context."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 8)

    def log_prob(self, z: Tensor, context: Tensor) -> Tensor:
        mean, log_s = self.net(context).chunk(2, dim=1)
        u = (z - mean) * torch.exp(-log_s)
        return (-0.5 * u**2 - log_s - HALF_LOG_2PI).sum(dim=1)


class OfContextWithoutScale(OfContext):
    def log_prob(self, z: Tensor, context: Tensor) -> Tensor:
        mean, log_s = self.net(context).chunk(2, dim=1)
        u = (z - mean) * torch.exp(-log_s)
        return (-0.5 * u**2 - HALF_LOG_2PI).sum(dim=1)


class MixtureOfContext(nn.Module):
    """Three Gaussians whose means, scales and weights are made of a context."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 27)

    def weighted(self, weight: Tensor) -> Tensor:
        return weight.log_softmax(dim=1)

    def log_prob(self, z: Tensor, context: Tensor) -> Tensor:
        made = self.net(context).view(-1, 3, 9)
        mean, log_s, weight = made.split([4, 4, 1], dim=2)
        u = (z[:, None] - mean) * torch.exp(-log_s)
        each = (-0.5 * u**2 - log_s - HALF_LOG_2PI).sum(dim=2)
        return torch.logsumexp(each + self.weighted(weight[..., 0]), dim=1)


class MixtureOfContextUnweighted(MixtureOfContext):
    def weighted(self, weight: Tensor) -> Tensor:
        return weight


def over(base: Any) -> Any:
    """Return how a flow over such a base is built."""
    return lambda: Flow(base())


def conditional_over(base: Any) -> Any:
    """Return how a conditional flow over such a base is built."""
    return lambda: Conditional(base())
