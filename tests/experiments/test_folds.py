"""A map that folds at a hundredth of its inputs is found whichever samples are drawn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Waves(nn.Module):
    """x + a sin(x), which falls where a cos(x) < -1."""

    def __init__(self, height: float) -> None:
        super().__init__()
        self.height = height

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        slope = 1 + self.height * torch.cos(x)
        return x + self.height * torch.sin(x), slope.abs().log().sum(1)


@pytest.mark.thinned(10)
@pytest.mark.parametrize("seed", range(10))
def test_a_fold_of_a_thirtieth_is_found_under_each_seed(seed: int) -> None:
    report = ldjcheck.check(Waves(2.0), shape=(2,), seed=seed)
    assert [f.code for f in report.findings] == ["LDJ304"]
    assert ldjcheck.check(Waves(0.9), shape=(2,), seed=seed).status == "pass"


class Creased(nn.Module):
    """The volume is kept everywhere, and space is turned over beyond -2."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.where(x > -2, x, -x - 4), torch.zeros(len(x))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("seed", range(5))
def test_a_fold_that_keeps_the_volume_is_found_as_well(seed: int) -> None:
    report = ldjcheck.check(Creased(), shape=(2,), seed=seed)
    assert [f.code for f in report.findings] == ["LDJ304"]
