"""Particles without their centre of mass: a density has its mass over fewer directions."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Swelling(nn.Module):
    """x -> x (r + tanh r) / r, r the distance of all particles from their centre of mass."""

    def __init__(self) -> None:
        super().__init__()
        self.n_particles, self.n_dims = 4, 2
        self.dof = 3 * 2
        self.log_scale = nn.Parameter(torch.tensor(0.1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = (x - x.mean(dim=1, keepdim=True)) * self.log_scale.exp()
        r = x.flatten(1).norm(dim=1)
        scale = (r + torch.tanh(r)) / r
        ldj = self.slope(r) + (self.dof - 1) * scale.log() + self.dof * self.log_scale
        return x * scale[:, None, None], ldj

    def slope(self, r: Tensor) -> Tensor:
        return torch.log(2 - torch.tanh(r) ** 2)

    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        constant = 0.5 * self.dof * math.log(2 * math.pi)
        return -0.5 * z.square().sum(dim=(1, 2)) - constant + ldj


class OfAllDims(Swelling):
    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        constant = 0.5 * self.n_particles * self.n_dims * math.log(2 * math.pi)
        return -0.5 * z.square().sum(dim=(1, 2)) - constant + ldj


class Turned(Swelling):
    def log_prob(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        constant = 0.5 * self.dof * math.log(2 * math.pi)
        return -0.5 * z.square().sum(dim=(1, 2)) - constant - ldj


class Unlogged(Swelling):
    def slope(self, r: Tensor) -> Tensor:
        return 2 - torch.tanh(r) ** 2


def checked(model: nn.Module) -> ldjcheck.Report:
    return ldjcheck.check(model, shape=(4, 2), pictures=False)


def test_a_density_over_the_directions_that_are_left_passes() -> None:
    report = checked(Swelling())
    assert report.status == "pass", report
    assert "not checked" not in str(report).splitlines()[0]


@pytest.mark.slow
def test_one_with_the_constant_of_all_dims_fails() -> None:
    assert checked(OfAllDims()).status == "fail"


@pytest.mark.slow
@pytest.mark.parametrize(("model", "code"), [(Turned, "LDJ104"), (Unlogged, "LDJ108")])
def test_a_count_that_the_model_holds_moves_with_its_particles(
    model: type[Swelling], code: str
) -> None:
    """Else the numbers at other sizes are wrong twice, and nothing explains them."""
    (finding,) = (f for f in checked(model()).findings if f.severity == "error")
    assert finding.code == code
