"""Layers of any number of tensors, whose code says by their places how many it wants."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Swapped(nn.Module):
    """Swaps two tensors, and scales the second on the way."""

    log_scale = 0.7
    counted = 1.0

    def forward(self, *xs: Tensor, inverse: bool = False) -> tuple[Tensor, ...]:
        return self._inverse(*xs) if inverse else self._forward(*xs)

    def _total(self, x: Tensor) -> Tensor:
        ones = torch.ones(*x.shape[:-1], 1, dtype=x.dtype)
        return self.counted * self.log_scale * x.shape[-1] * ones

    def _forward(self, *xs: Tensor, **_: Any) -> tuple[Tensor, ...]:
        scaled = xs[1] * torch.exp(torch.tensor(self.log_scale, dtype=xs[1].dtype))
        return scaled, xs[0], *xs[2:], self._total(xs[1])

    def _inverse(self, *xs: Tensor, **_: Any) -> tuple[Tensor, ...]:
        back = xs[0] * torch.exp(torch.tensor(-self.log_scale, dtype=xs[0].dtype))
        return xs[1], back, *xs[2:], -self._total(xs[0])


class CountedTwice(Swapped):
    counted = 2.0


def test_a_layer_gets_as_many_tensors_as_it_reads_by_place() -> None:
    assert ldjcheck.check(Swapped()).status == "pass"


@pytest.mark.parametrize("layer", [CountedTwice()])
def test_a_wrong_one_is_found(layer: nn.Module) -> None:
    report = ldjcheck.check(layer)
    assert report.findings[0].code == "LDJ114"
