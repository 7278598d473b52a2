"""A density beside z is known by what it is made of, wherever that stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

import ldjcheck


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.linspace(-0.5, 0.6, 4))

    def forward(self, x: Tensor) -> Any:
        first = x * self.log_scale.exp()
        return first, self.second(first)

    def second(self, first: Tensor) -> Tensor:
        asked = Normal(0.0, 1.0).log_prob(first)
        return asked.sum(dim=1) + self.log_scale.sum()


class ThroughTwo(Plain):
    def forward(self, x: Tensor) -> Any:
        first = x * self.log_scale.exp()
        second = in_between(self, first)
        third = 1.0 * second
        return first, third


def in_between(layer: Any, first: Tensor) -> Any:
    return layer.second(first)


@dataclass
class Pair:
    one: Tensor
    log_prob: Tensor


class Placed(Plain):
    def forward(self, x: Tensor) -> Any:
        first = x * self.log_scale.exp()
        return Pair(first, self.second(first))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [Plain, ThroughTwo, Placed])
def test_a_right_density_beside_z_passes_whatever_it_is_called(layer: Any) -> None:
    report = ldjcheck.check(layer(), shape=(4,))
    assert (report.status, report.result.convention) == ("pass", "density"), str(report)


@pytest.mark.slow
def test_a_wrong_one_fails() -> None:
    class Wrong(ThroughTwo):
        def second(self, first: Tensor) -> Tensor:
            return super().second(first) - 2 * self.log_scale.sum()

    assert ldjcheck.check(Wrong(), shape=(4,)).status == "fail"
