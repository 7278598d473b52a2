"""Masses of one variable, wherever the peak is and however slowly the tails fall off."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ldjcheck.densities.integral import log_integral


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("nu", [1.01, 1.5, 2.3, 8.0])
def test_the_mass_of_a_student_law_is_known_at_every_scale(
    scale: float, nu: float
) -> None:
    constant = math.lgamma((nu + 1) / 2) - math.lgamma(nu / 2)
    constant -= 0.5 * math.log(nu * math.pi) - math.log(scale)

    def density(u: Tensor) -> Tensor:
        return constant - (nu + 1) / 2 * torch.log1p((u * scale) ** 2 / nu)

    mass = log_integral(density, torch.tensor([0.0, 1.3, -2.0]).double())
    assert mass is not None
    assert float(mass.abs().max()) < 1e-6


@pytest.mark.parametrize("at", [0.0, 5.0, -800.0])
@pytest.mark.parametrize("width", [1e-3, 1.0, 50.0])
def test_a_peak_is_found_wherever_it_is(at: float, width: float) -> None:
    def density(u: Tensor) -> Tensor:
        return -0.5 * ((u - at) / width) ** 2 - math.log(width * (2 * math.pi) ** 0.5)

    mass = log_integral(density, torch.zeros(2).double())
    assert mass is not None
    assert float(mass.abs().max()) < 1e-6
