"""A base that is asked about what a flow goes on with counts that twice."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Coupling(nn.Module):
    """No way back: that a flow is inside is seen by its numbers."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.half = dims // 2
        self.net = nn.Linear(self.half, dims - self.half)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x[:, : self.half], x[:, self.half :]
        s = torch.tanh(self.net(a))
        return torch.cat([b * s.exp(), a], 1), s.sum(1)


def log_normal(z: Tensor, mean: Tensor, log_s: Tensor) -> Tensor:
    u = (z - mean) * torch.exp(-log_s)
    return (-0.5 * u**2 - log_s - 0.5 * math.log(2 * math.pi)).sum(1)


class TwoLevels(nn.Module):
    """Drops half of its dims under a prior that depends on the rest."""

    def __init__(self, asked: str = "dropped") -> None:
        super().__init__()
        self.first, self.last = Coupling(8), Coupling(4)
        self.prior = nn.Linear(4, 8)
        self.asked = asked

    def log_prob(self, x: Tensor) -> Tensor:
        x, total = self.first(x)
        kept, dropped = x.chunk(2, 1)
        mean, log_s = self.prior(kept).chunk(2, 1)
        asked = dropped if self.asked == "dropped" else kept
        total = total + log_normal(asked, mean, 0.3 * log_s)
        z, ldj = self.last(kept)
        return total + ldj + log_normal(z, torch.zeros_like(z), torch.zeros_like(z))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_the_prior_of_what_is_kept_is_told_as_that(seed: int) -> None:
    assert ldjcheck.check(TwoLevels(), seed=seed).status == "pass"
    report = ldjcheck.check(TwoLevels("kept"), seed=seed)
    assert report.status == "fail", report
    (finding,) = (f for f in report.findings if f.severity == "error")
    assert finding.code == "LDJ501"
    told = "counts what the flow goes on with, and nothing what it drops."
    assert finding.message.endswith(told)
