"""A sum of logarithms in bits or digits is told from one that is off by some number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class InUnits(nn.Module):
    """Divides what is in nats by the logarithm of a base."""

    def __init__(self, base: int) -> None:
        super().__init__()
        self.base = base
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.2, 0.5]))

    def forward(self, x: Tensor) -> Pair:
        ldj = self.log_s.sum() / math.log(self.base)
        return x * self.log_s.exp(), ldj.expand(len(x))


@pytest.mark.parametrize("base", [2, 10])
def test_what_is_divided_by_the_logarithm_of_a_base_is_not_in_nats(base: int) -> None:
    (found,) = ldjcheck.check(InUnits(base)).findings
    assert found.code == "LDJ107"
    assert "`self.log_s` is not in nats" in found.message
