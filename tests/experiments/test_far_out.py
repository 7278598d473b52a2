"""What is wrong only far from the origin is found, at few dims too."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Bent(nn.Module):
    """Slope 2 up to the bound, slope 3 beyond it, on one side or on both."""

    def __init__(self, bound: float, right: bool, lower: bool = True) -> None:
        super().__init__()
        self.bound, self.right, self.lower = bound, right, lower

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        beyond = x > self.bound
        y = 2 * x + (x - self.bound).clamp_min(0)
        if self.lower:
            beyond = beyond | (x < -self.bound)
            y = y - (-x - self.bound).clamp_min(0)
        slope = torch.where(beyond, 3.0, 2.0) if self.right else torch.full_like(x, 2)
        return y, slope.log().sum(1)


@pytest.mark.slow
@pytest.mark.parametrize("dims", [1, 2, 5])
@pytest.mark.parametrize("bound", [3.0, 4.0, 5.0])
@pytest.mark.parametrize("lower", [True, False])
def test_a_slope_forgotten_beyond_the_bound_is_found(
    dims: int, bound: float, lower: bool
) -> None:
    report = ldjcheck.check(Bent(bound, right=False, lower=lower), shape=(dims,))
    assert report.status == "fail"
    right = ldjcheck.check(Bent(bound, right=True, lower=lower), shape=(dims,))
    assert right.status == "pass", right


def test_a_right_tanh_passes_far_out_too() -> None:
    class Squash(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            ldj = 2 * (math.log(2) - x - nn.functional.softplus(-2 * x))
            return torch.tanh(x), ldj.sum(1)

    assert ldjcheck.check(Squash(), shape=(2,)).status == "pass"
