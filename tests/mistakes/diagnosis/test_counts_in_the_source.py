"""At one size numbers do not tell 2 from the number of dims; the source may."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


def named(layer: nn.Module) -> tuple[str, tuple[str, ...]]:
    (finding,) = ldjcheck.check(layer).findings
    return finding.code, finding.also_fits


class Coupling(nn.Module):
    """Moves the second half of its dims, of which its network knows how many there are."""

    def __init__(self, half: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(half, 2 * half)

    def moved(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, dim=1)
        log_s, t = torch.tanh(self.net(a)).chunk(2, dim=1)
        return torch.cat([a, b * log_s.exp() + t], dim=1), log_s.sum(1)


class Halved(Coupling):
    def forward(self, x: Tensor) -> Pair:
        y, ldj = self.moved(x)
        return y, ldj / 2


class Doubled(Coupling):
    def forward(self, x: Tensor) -> Pair:
        y, ldj = self.moved(x)
        return y, 2 * ldj


class PerDim(Coupling):
    def forward(self, x: Tensor) -> Pair:
        y, ldj = self.moved(x)
        return y, ldj * x.shape[1]


@pytest.mark.slow
@pytest.mark.parametrize("half", [1, 2])
def test_a_number_that_is_written_out_is_called_a_number(half: int) -> None:
    assert named(Halved(half))[0] == "LDJ114"
    assert named(Doubled(half))[0] == "LDJ114"


@pytest.mark.thinned(2)
@pytest.mark.parametrize("half", [1, 2])
def test_a_count_that_is_written_out_is_called_a_count(half: int) -> None:
    assert named(PerDim(half))[0] == "LDJ103"


@pytest.mark.slow
def test_what_else_fits_is_said() -> None:
    assert "wrong-multiple" in named(PerDim(1))[1]
    assert "mean-not-sum" in named(Halved(1))[1]


class ScaledChannels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.5, 0.9]))

    def forward(self, x: Tensor) -> Pair:
        y = x * self.log_s.view(-1, 1, 1).exp()
        return y, self.log_s.sum().expand(len(x))


def test_a_law_says_what_it_counts_and_how_much_of_it_there_was() -> None:
    (finding,) = ldjcheck.check(ScaledChannels(), params="as-is").findings
    assert finding.law is not None
    assert finding.law.over == "H*W"
    told = [(point.dims, point.count) for point in finding.law.points]
    assert len(told) > 1
    assert all(dims == 3 * count for dims, count in told if count is not None)
    share = 0.7  # of a pixel, which the ldj has once
    for point in finding.law.points:
        assert point.count is not None
        assert point.difference == pytest.approx((1 - point.count) * share)
