"""A way back that does not round leads back to x and its noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_layers import Pair


class Spread(nn.Module):
    """Whole numbers and noise, as fractions of so many levels."""

    def __init__(self, levels: int = 256) -> None:
        super().__init__()
        self.levels = levels

    def ldj(self, x: Tensor) -> Tensor:
        return torch.full((len(x),), -math.log(self.levels) * x[0].numel())

    def forward(self, x: Tensor) -> Pair:
        return (x + torch.rand_like(x)) / self.levels, self.ldj(x)

    def undone(self, y: Tensor) -> Tensor:
        return y * self.levels

    def inverse(self, y: Tensor) -> Pair:
        return self.undone(y), -self.ldj(y)


class Stretched(Spread):
    def undone(self, y: Tensor) -> Tensor:
        return 1.01 * y * self.levels


class Shifted(Spread):
    def undone(self, y: Tensor) -> Tensor:
        return y * self.levels + 1


class Undivided(Spread):
    def undone(self, y: Tensor) -> Tensor:
        return y


class Adding(Spread):
    """The same before a logit, on a running total."""

    def forward(  # type: ignore[override]
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> Pair:
        if reverse:
            ldj = ldj - (z + 2 * nn.functional.softplus(-z)).sum(-1)
            z, own = Spread.inverse(self, torch.sigmoid(z))
            return z, ldj + own
        z, own = Spread.forward(self, z)
        return z.log() - (-z).log1p(), ldj + own - (z.log() + (-z).log1p()).sum(-1)

    inverse = None  # type: ignore[assignment]  # the flag is the way back


class AddingShifted(Adding):
    def undone(self, y: Tensor) -> Tensor:
        return y * self.levels - 2


class ByMethod(Spread):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return (x + torch.rand_like(x)) / self.levels

    def inverse(self, y: Tensor) -> Tensor:  # type: ignore[override]
        return self.undone(y)

    def log_det(self, x: Tensor) -> Tensor:
        return self.ldj(x)


@pytest.mark.parametrize("layer", [Spread, Adding, ByMethod])
def test_noise_is_no_miss_of_the_way_back(layer: Callable[[], nn.Module]) -> None:
    report = ldjcheck.check(layer(), shape=(6,))
    assert report.status == "pass", report


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Stretched, Shifted, Undivided, AddingShifted])
def test_a_miss_beyond_the_noise_is_one(layer: Callable[[], nn.Module]) -> None:
    report = ldjcheck.check(layer(), shape=(6,))
    assert "LDJ301" in {f.code for f in report.findings}, report
