"""A map that folds its inputs is checked where it does not; NaN elsewhere is a mistake."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Square(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x**2, torch.log(2 * x).sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.sqrt(y)
        return x, -torch.log(2 * x).sum(1)


class Reciprocal(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return 1 / x, -2 * torch.log(x).sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return 1 / y, -2 * torch.log(y).sum(1)


def test_a_square_with_the_logarithm_of_x_is_right_on_positive_inputs() -> None:
    report = ldjcheck.check(Square(), shape=(5,))
    assert report.status == "pass", report
    domain = report.to_dict()["results"][0]["inferred"]["domain"]
    assert domain == "positive: the first domain where the map is one to one"


@pytest.mark.slow
def test_a_reciprocal_is_one_to_one_everywhere_so_a_missing_abs_is_a_mistake() -> None:
    assert ldjcheck.check(Reciprocal(), shape=(5,)).status == "fail"


def test_a_split_that_draws_the_dropped_half_again_has_no_round_trip() -> None:
    class Split(nn.Module):
        def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> tuple:
            normal = torch.distributions.Normal(0.0, 1.0)
            if reverse:
                dropped = torch.randn_like(z)
                ldj = ldj - normal.log_prob(dropped).sum(1)
                return torch.cat([z, dropped], 1), ldj
            z, dropped = z.chunk(2, 1)
            return z, ldj + normal.log_prob(dropped).sum(1)

    report = ldjcheck.check(Split(), shape=(6,))
    assert report.status == "pass", report
    assert {f.code for f in report.findings} == {"LDJ305"}


def test_a_map_of_the_unit_interval_that_is_finite_elsewhere_is_checked_there() -> None:
    class Kumaraswamy(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            ldj = torch.log(torch.tensor(6.0)) + x.log() + 2 * torch.log1p(-(x**2))
            return 1 - (1 - x**2) ** 3, ldj.sum(1)

        def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
            x = (1 - (1 - y) ** (1 / 3)) ** 0.5
            return x, -self.forward(x)[1]

    report = ldjcheck.check(Kumaraswamy(), shape=(4,))
    assert report.status == "pass", report
    assert report.to_dict()["results"][0]["inferred"]["domain"].startswith("unit")


@pytest.mark.slow
def test_noise_that_does_not_enter_the_output_makes_no_dequantization() -> None:
    class Estimated(nn.Module):
        """A scale whose ldj is estimated from random numbers."""

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            probe = torch.randn_like(x)
            return 3 * x, (probe**2).sum(1)

    report = ldjcheck.check(Estimated(), shape=(4,))
    domain = report.to_dict()["results"][0]["inferred"]["domain"]
    assert domain.startswith("real")


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("back", "status"), [(1.0, "pass"), (0.9, "fail")])
def test_a_whole_turn_of_a_circle_is_no_way_off(back: float, status: str) -> None:
    class Turn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.by = nn.Parameter(torch.randn(3))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return torch.remainder(x + self.by, 2 * torch.pi), x.new_zeros(len(x))

        def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
            x = torch.remainder(y - back * self.by, 2 * torch.pi)
            return x, y.new_zeros(len(y))

    report = ldjcheck.check(Turn())
    assert report.status == status, report
