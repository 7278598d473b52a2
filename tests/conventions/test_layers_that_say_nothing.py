"""Layers that report no ldj because it would be 0: told by what they do, once they learn."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Shift(nn.Module):
    """Shifts one half by a net of the other, and returns y alone."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Any:
        a, b = x.chunk(2, dim=1)
        return torch.cat([a, b + torch.tanh(self.net(a))], dim=1)

    def inverse(self, y: Tensor) -> Tensor:
        a, b = y.chunk(2, dim=1)
        return torch.cat([a, b - torch.tanh(self.net(a))], dim=1)


class ShiftAndNone(Shift):
    """Has a place for the ldj, and None in it."""

    def forward(self, x: Tensor) -> Any:
        return super().forward(x), None


class StartsAsFlip(Shift):
    """Moves entries only as long as its net has not learned anything."""

    def __init__(self) -> None:
        super().__init__()
        nn.init.zeros_(self.net.weight)
        nn.init.zeros_(self.net.bias)

    def forward(self, x: Tensor) -> Any:
        return super().forward(x).flip(1)

    def inverse(self, y: Tensor) -> Tensor:
        return super().inverse(y.flip(1))


class WrongWayBack(Shift):
    def inverse(self, y: Tensor) -> Tensor:
        return self.forward(y)


class StretchesOnceItLearns(StartsAsFlip):
    def forward(self, x: Tensor) -> Any:
        a, b = x.chunk(2, dim=1)
        return torch.cat([b * torch.exp(self.net(a)), a], dim=1)

    def inverse(self, y: Tensor) -> Tensor:
        b, a = y.chunk(2, dim=1)
        return torch.cat([a, b * torch.exp(-self.net(a))], dim=1)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", [Shift, ShiftAndNone, StartsAsFlip])
def test_one_that_keeps_volume_passes(layer: type[Shift]) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
    assert report.result.convention == "volume-preserving"
    assert not report.findings


@pytest.mark.slow
def test_its_way_back_is_held_to_account() -> None:
    assert [f.code for f in ldjcheck.check(WrongWayBack()).findings] == ["LDJ301"]


def test_one_that_stretches_is_not_understood_rather_than_right_or_wrong() -> None:
    report = ldjcheck.check(StretchesOnceItLearns())
    assert report.status == "error"
    assert [f.code for f in report.findings] == ["LDJ004"]
