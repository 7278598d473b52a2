"""Densities so narrow that float64 cannot tell how much they hold are not called wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class NarrowSplit(nn.Module):
    """Drops half of the dims under a normal of that width, around what the others say."""

    def __init__(self, width: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.width = width
        self.net = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Pair:
        kept, dropped = x.chunk(2, dim=1)
        u = (dropped - self.net(kept)) / self.width
        log_p = -(u**2) / 2 - math.log(self.width) - 0.5 * math.log(2 * math.pi)
        return kept, log_p.sum(1)


@pytest.mark.thinned(2)
@pytest.mark.parametrize(
    ("width", "status"), [(1e-5, "pass"), (3e-9, "unproven"), (1e-10, "unproven")]
)
def test_a_normal_of_any_width_is_no_wrong_density(width: float, status: str) -> None:
    report = ldjcheck.check(NarrowSplit(width), shape=(4,))
    assert report.status == status, report
