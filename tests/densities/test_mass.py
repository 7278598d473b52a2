"""The mass of a log-density, over the line or over a turn."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import ldjcheck
from ldjcheck.densities.mass import log_mass

SEEDS = range(10)


def von_mises(angles: Tensor, kappa: Tensor, turn: float) -> Tensor:
    """Return the log-density of angles of which `turn` is once around."""
    scale = turn * torch.special.i0(kappa)
    return kappa * torch.cos(2 * math.pi * angles / turn) - scale.log()


@pytest.mark.parametrize("turn", [2 * math.pi, 1.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_an_angle_has_it_in_one_turn(seed: int, turn: float) -> None:
    torch.manual_seed(seed)
    at, kappa = torch.randn(4, 3).double(), 1 + torch.rand(3).double()
    found = log_mass(lambda u: von_mises(u, kappa, turn).sum(2), at, may_turn=True)
    assert found is not None
    assert found[0].abs().max() < 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_angles_may_stand_beside_what_has_no_ends(seed: int) -> None:
    torch.manual_seed(seed)
    at, kappa = torch.randn(4, 3).double(), torch.rand(2).double()

    def f(u: Tensor) -> Tensor:
        angles = von_mises(u[..., :2], kappa, 2 * math.pi).sum(2)
        return angles - u[..., 2] ** 2 / 2 + 1.5  # of mass exp(1.5) sqrt(2 pi)

    found = log_mass(f, at, may_turn=True)
    assert found is not None
    log, error = found
    assert (log - 1.5 - math.log(2 * math.pi) / 2).abs().max() < error


def test_what_comes_back_is_no_angle_unless_it_may_be_one() -> None:
    at, kappa = torch.randn(4, 3).double(), torch.ones(3).double()
    assert log_mass(lambda u: von_mises(u, kappa, 1.0).sum(2), at) is None


def test_what_nothing_moves_is_no_angle() -> None:
    at = torch.randn(4, 2).double()
    assert log_mass(lambda u: torch.cos(u[..., 0]), at, may_turn=True) is None


class Turned(torch.nn.Module):
    """Angles, turned by what the ones before them say, under a learned von Mises base."""

    def __init__(self, *, counted: bool = True) -> None:
        super().__init__()
        self.kappa = torch.nn.Parameter(torch.tensor([0.8, 1.3, 0.5]))
        self.pull = torch.nn.Parameter(torch.tensor([0.3, -0.4, 0.2]))
        self.counted = counted

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = x + self.pull * torch.sin(x)
        return z, torch.log1p(self.pull * torch.cos(x)).sum(1)

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        return Base(self.kappa, counted=self.counted).log_prob(z) + ldj


class Base:
    def __init__(self, kappa: Tensor, *, counted: bool) -> None:
        self.kappa, self.counted = kappa, counted

    def log_prob(self, z: Tensor) -> Tensor:
        each = self.kappa * torch.cos(z) - math.log(2 * math.pi)
        if self.counted:
            each = each - torch.special.i0(self.kappa).log()
        return each.sum(1)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.thinned(10)
def test_a_base_of_angles_is_held_to_have_mass_1(seed: int) -> None:
    right = ldjcheck.check(Turned(), seed=seed)
    assert right.status == "pass"
    assert not right.result.unasked
    wrong = ldjcheck.check(Turned(counted=False), seed=seed)
    assert [found.code for found in wrong.findings] == ["LDJ501"]
