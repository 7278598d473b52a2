"""What need be no flow: a step of chance, or a density that nobody said is a flow's."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Laplace

import ldjcheck


class Langevin(nn.Module):
    """One step along the score and noise; what it reports weighs the path, back and there."""

    sign = 1.0

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.pull = nn.Parameter(0.5 + torch.rand(dims))

    def step_density(self, start: Tensor, end: Tensor) -> Tensor:
        mean = start - 0.1 * self.pull * start
        return -(((end - mean) ** 2) / 0.4).sum(1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x - 0.1 * self.pull * x + math.sqrt(0.2) * torch.randn_like(x)
        weight = self.step_density(y, x) - self.sign * self.step_density(x, y)
        return y, weight


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_step_of_chance_is_no_map_right_or_wrong(sign: float) -> None:
    torch.manual_seed(0)
    step = Langevin()
    step.sign = sign
    report = ldjcheck.check(step)
    assert report.status == "error"
    assert "draws normal noise that enters its output: it is no map" in str(report)


class Planar(nn.Module):
    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.w, self.u = (nn.Parameter(torch.randn(dims)) for _ in range(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        bend = torch.tanh(x @ self.w)
        lean = torch.nn.functional.softplus(self.u @ self.w) - 1 - self.u @ self.w
        u = self.u + lean * self.w / (self.w @ self.w)
        slope = (1 - bend**2) * (u @ self.w)
        return x + bend[:, None] * u, (1 + slope).abs().log()


class Halved(nn.Module):
    """A density with another power of x in it, of which no law knows how it is off."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.planar = Planar(dims)

    def compute_loss(self, x: Tensor) -> Tensor:
        z, change = self.planar(x)
        base = Laplace(torch.zeros(3), torch.ones(3)).log_prob(z).sum(1)
        return -(base + change.exp().sqrt()).mean()


class Encoder(nn.Module):
    """A net of as many numbers as it is given, and a score of them: it never was a flow."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.net = nn.Linear(dims, dims)

    def log_prob(self, x: Tensor) -> Tensor:
        code = self.net(x)
        objective = torch.tanh(code).sum(1)
        return Laplace(torch.zeros(3), torch.ones(3)).log_prob(code).sum(1) + objective


@pytest.mark.slow
def test_a_density_with_a_flows_layer_in_it_is_a_flows() -> None:
    torch.manual_seed(0)
    assert ldjcheck.check(Halved()).status == "fail"


@pytest.mark.slow
def test_a_density_of_no_layer_and_no_ldj_need_be_none() -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(Encoder())
    assert report.status == "error"
    assert "cannot tell whether Encoder() is a flow" in str(report)


class OfOneStep(nn.Module):
    """Maps x in a method of its own, whose other number has no name that tells what it is."""

    def __init__(self, power: float = 1.0) -> None:
        super().__init__()
        self.net, self.power = nn.Linear(2, 4), power

    def to_noise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        return torch.cat([b * s.exp() + t, a], 1), self.number_of(s)

    def number_of(self, s: Tensor) -> Tensor:
        return s.sum(1) + (self.power - 1) * torch.tanh(s * s.flip(1)).sum(1)

    def log_prob(self, x: Tensor) -> Tensor:
        z, k = self.to_noise(x)
        return k - 0.5 * z.square().sum(1) - 2 * math.log(2 * math.pi)


class OfANorm(OfOneStep):
    """What its method hands back beside x is a norm, which is not merely added."""

    def to_noise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        norm = self.net.weight[:, 0].norm() * x.norm(dim=1)
        return self.net(x[:, :2]) + x.flip(1), norm

    def log_prob(self, x: Tensor) -> Tensor:
        z, k = self.to_noise(x)
        return torch.tanh(k) - 0.5 * z.square().sum(1) - 2 * math.log(2 * math.pi)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_number_that_comes_with_z_and_is_added_is_an_ldj(seed: int) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(OfOneStep(), seed=seed).status == "pass"
    assert ldjcheck.check(OfOneStep(power=2.0), seed=seed).status == "fail"
    assert ldjcheck.check(OfANorm(), seed=seed).status == "error"
