"""What a search leaves is another amount a step aside; a slip of a formula follows x."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from experiments.test_experiments_and_oracles import PROBES, bench_of
from torch import Tensor, nn

from ldjcheck.oracle.oracles.both_directions import measure_sides

if TYPE_CHECKING:
    from small_layers import Pair


class Doubles(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return 2 * x, torch.full((len(x),), 3 * 0.6931471805599453).to(x)

    def inverse(self, y: Tensor) -> Pair:
        return self.halved(y), torch.full((len(y),), -3 * 0.6931471805599453).to(y)

    def halved(self, y: Tensor) -> Tensor:
        return y / 2


class Searches(Doubles):
    """Halves [-9, 9] thirty times."""

    def halved(self, y: Tensor) -> Tensor:
        low, high = torch.full_like(y, -9.0), torch.full_like(y, 9.0)
        for _ in range(30):
            middle = (low + high) / 2
            low = torch.where(2 * middle < y, middle, low)
            high = torch.where(2 * middle < y, high, middle)
        return (low + high) / 2


class Slips(Doubles):
    """Beyond an edge it is off by a millionth of how far it is beyond."""

    edge = 0.0

    def halved(self, y: Tensor) -> Tensor:
        return y / 2 + 1e-6 * (y / 2 - self.edge).clamp_min(0.0)


@pytest.mark.parametrize("beyond", [1e-4, 1e-3, 1e-2, 1.0])
def test_a_slip_follows_x_however_small_it_is(beyond: float) -> None:
    bench = bench_of(layer := Slips())
    _, x, _ = bench.ready(PROBES[0])
    layer.edge = float(x.max()) - beyond
    trip = measure_sides(bench_of(layer), PROBES[0]).inverse.round_trip
    assert trip.misses
    assert not trip.scatters


def test_what_a_search_leaves_scatters() -> None:
    trip = measure_sides(bench_of(Searches()), PROBES[0]).inverse.round_trip
    assert trip.misses
    assert trip.scatters
