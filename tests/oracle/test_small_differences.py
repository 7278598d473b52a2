"""Differences that are small: rounding explains some of them, and a softplus others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair

ALPHA = 1e-5


class Squeezed(nn.Module):
    """Away from both ends by a hair, which is counted for each dim, or for all at once."""

    def __init__(self, at_once: bool) -> None:
        super().__init__()
        self.at_once = at_once
        self.log_s = nn.Parameter(torch.zeros(20))

    def forward(self, x: Tensor) -> Pair:
        y = x * self.log_s.exp() * (1 - ALPHA) + 0.5 * ALPHA
        ldj = math.log(1 - ALPHA * 20) if self.at_once else 20 * math.log(1 - ALPHA)
        return y, (ldj + self.log_s.sum()).expand(len(x))


class Sigmoid(nn.Module):
    """By softplus, which is cut off where its argument is 20 and more."""

    def forward(self, x: Tensor) -> Pair:
        x = 8 * x
        return torch.sigmoid(x), (math.log(8) - x - 2 * F.softplus(-x)).sum(1)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("at_once", "status"), [(False, "pass"), (True, "fail")])
def test_a_hair_that_is_no_rounding_is_a_mistake(at_once: bool, status: str) -> None:
    assert ldjcheck.check(Squeezed(at_once)).status == status


def test_where_a_softplus_is_cut_off_its_tail_is_allowed() -> None:
    report = ldjcheck.check(Sigmoid(), shape=(3,))
    assert report.status == "pass", report
