"""A count of one axis less one, where that of another belongs: (n - 1) for (d - 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class AboutAnOrigin(nn.Module):
    """Moves each particle along its distance from an origin, (batch, n, d)."""

    def __init__(self) -> None:
        super().__init__()
        self.origin = nn.Parameter(0.3 * torch.randn(3))
        self.log_beta = nn.Parameter(torch.tensor(-0.2))

    def across(self, x: Tensor) -> int:
        return x.shape[2]

    def forward(self, x: Tensor) -> Pair:
        beta, off = self.log_beta.exp(), x - self.origin
        r = off.norm(dim=-1)
        h = 1 / (1 + r)
        wide = torch.log(1 + beta * h)
        along = torch.log(1 + beta * h - beta * h**2 * r)
        ldj = (self.across(x) - 1) * wide + along
        return x + beta * h[..., None] * off, ldj.sum(dim=1)


class OfParticles(AboutAnOrigin):
    def across(self, x: Tensor) -> int:
        return x.shape[1]


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(3))
def test_the_axis_that_is_counted_is_told_from_the_one_that_is_not(seed: int) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(AboutAnOrigin(), shape=(5, 3), seed=seed).status == "pass"
    (finding,) = ldjcheck.check(OfParticles(), seed=seed).findings
    assert finding.code == "LDJ103"
    assert finding.location is not None
    assert "wide" in (finding.location.text or "")
