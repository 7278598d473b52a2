"""What is wrong in one bin shows, whichever bins the first few samples leave empty."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck

BOUND, BINS = 3.0, 8
WIDTH = 2 * BOUND / BINS


class Spline(nn.Module):
    """Straight in each bin, the identity outside; `wrong` is one bin's mistake."""

    def __init__(self, wrong: int | None, dims: int = 3) -> None:
        super().__init__()
        self.wrong = wrong
        self.heights = nn.Parameter(0.7 * torch.randn(dims, BINS))

    def table(self) -> tuple[Tensor, Tensor]:
        heights = F.softmax(self.heights, -1) * 2 * BOUND
        return heights / WIDTH, F.pad(heights.cumsum(-1), (1, 0)) - BOUND

    def counted(self, slope: Tensor, index: Tensor) -> Tensor:
        log = slope.log()
        return (
            log if self.wrong is None else torch.where(index == self.wrong, -log, log)
        )


class Indexed(Spline):
    """Looks its bins up by an index, and leaves out by a mask what is outside."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        slopes, knots = self.table()
        index = ((x + BOUND) / WIDTH).floor().long().clamp(0, BINS - 1)
        dim = torch.arange(x.shape[1])
        slope, inside = slopes[dim, index], x.abs() < BOUND
        y = knots[dim, index] + slope * (x + BOUND - index * WIDTH)
        counted = torch.where(inside, self.counted(slope, index), torch.zeros_like(x))
        return torch.where(inside, y, x), counted.sum(1)


class Gathered(Spline):
    """Takes those inside out of their batch, and gathers what is of their bins."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        slopes, knots = (each.expand(len(x), -1, -1) for each in self.table())
        inside = (x > -BOUND) & (x < BOUND)
        v, slopes, knots = x[inside], slopes[inside], knots[inside]
        edges = torch.linspace(-BOUND, BOUND, BINS + 1).to(x)
        index = torch.searchsorted(edges, v.detach()).sub(1).clamp(0, BINS - 1)
        slope = slopes.gather(-1, index[:, None])[:, 0]
        y, ldj = x.clone(), torch.zeros_like(x)
        y[inside] = knots.gather(-1, index[:, None])[:, 0] + slope * (v - edges[index])
        ldj[inside] = self.counted(slope, index)
        return y, ldj.sum(1)


class Looped(Spline):
    """Asks bin after bin whether an entry is there."""

    def __init__(self, wrong: int | None) -> None:
        super().__init__(wrong, dims=1)
        self.register_buffer("edges", torch.linspace(-BOUND, BOUND, BINS + 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, ldj, (slopes, knots) = x, torch.zeros_like(x), self.table()
        for index in range(BINS):
            low, slope = self.edges[index], slopes[0, index]
            here = (x > low) & (x <= self.edges[index + 1])
            y = torch.where(here, knots[0, index] + slope * (x - low), y)
            log = self.counted(slope, torch.tensor(index))
            ldj = torch.where(here, log, ldj)
        return y, ldj.sum(1)


@pytest.mark.thinned(30)
@pytest.mark.parametrize("layer", [Indexed, Gathered, Looped])
@pytest.mark.parametrize("bin_", [0, BINS - 1])
@pytest.mark.parametrize("seed", range(5))
def test_a_bin_that_few_samples_meet_is_looked_at(
    layer: type[Spline], bin_: int, seed: int
) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(layer(None), shape=(3,), seed=seed)
    assert report.status == "pass", report
    report = ldjcheck.check(layer(bin_), shape=(3,), seed=seed)
    assert report.status == "fail", report


class ThereAndBack(Indexed):
    """Its way back takes the slope of another bin, in the last one."""

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        slopes, knots = self.table()
        index = (y.unsqueeze(-1) >= knots).sum(-1).sub(1).clamp(0, BINS - 1)
        dim = torch.arange(y.shape[1])
        taken = (
            index if self.wrong is None else torch.where(index == self.wrong, 0, index)
        )
        inside = y.abs() < BOUND
        x = (y - knots[dim, index]) / slopes[dim, taken] + index * WIDTH - BOUND
        counted = torch.where(inside, slopes[dim, index].log(), torch.zeros_like(y))
        return torch.where(inside, x, y), -counted.sum(1)

    def counted(self, slope: Tensor, index: Tensor) -> Tensor:
        return slope.log()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_way_back_is_looked_at_in_each_bin(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(ThereAndBack(None), shape=(3,), seed=seed)
    assert report.status == "pass", report
    report = ldjcheck.check(ThereAndBack(BINS - 1), shape=(3,), seed=seed)
    assert report.status == "fail", report
    assert report.findings[0].code == "LDJ301"
