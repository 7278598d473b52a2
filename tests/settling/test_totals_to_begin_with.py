"""A running total has the shape that a layer begins with where none is passed in."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Cubic(nn.Module):
    """Adds a column to its total, `counted` times the slope of its cube."""

    def __init__(self, counted: float = 3.0) -> None:
        super().__init__()
        self.counted = counted
        self.log_scale = nn.Parameter(0.3 * torch.randn(4))

    def moved(self, z: Tensor) -> tuple[Tensor, Tensor]:
        scale = self.log_scale.exp()
        ldj = (scale + self.counted * z**2).log().sum(1, keepdim=True)
        return z * (scale + z**2), ldj


class FromColumn(Cubic):
    """Begins with a column."""

    def forward(self, z: Tensor, logdet: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, ldj = self.moved(z)
        return y, (z.new_zeros(len(z), 1) if logdet is None else logdet) + ldj


class FromNumber(Cubic):
    """Begins with a number, which is a column once one is added to it."""

    def forward(self, z: Tensor, logdet: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
        y, ldj = self.moved(z)
        return y, logdet + ldj


class FromRow(Cubic):
    """Begins with one number for each sample: every sample meets every total."""

    def forward(self, z: Tensor, logdet: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, ldj = self.moved(z)
        return y, (z.new_zeros(len(z)) if logdet is None else logdet) + ldj


class FromCaller(Cubic):
    """Begins with nothing of its own."""

    def forward(self, z: Tensor, logdet: Tensor) -> tuple[Tensor, Tensor]:
        y, ldj = self.moved(z)
        return y, logdet + ldj


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("layer", [FromColumn, FromNumber])
def test_a_column_that_it_begins_with_is_no_mistake(
    layer: type[Cubic], seed: int
) -> None:
    torch.manual_seed(seed)
    assert ldjcheck.check(layer(), seed=seed).status == "pass"
    report = ldjcheck.check(layer(2.0), seed=seed)
    assert [f.code for f in report.findings] == ["LDJ120"], report


@pytest.mark.parametrize("layer", [FromRow, FromCaller])
def test_a_column_that_meets_totals_of_another_shape_is_one(layer: type[Cubic]) -> None:
    report = ldjcheck.check(layer())
    assert [f.code for f in report.findings] == ["LDJ201"], report
