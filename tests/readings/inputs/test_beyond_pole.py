"""Maps that go to infinity between two sides, whose ldj is a number on one of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


def before_a_camera(p: Tensor) -> Pair:
    """Points (X, Y, Z) in space, Z ahead, to where they are seen, and how near."""
    x, y, z = p.unbind(-1)
    seen = torch.stack([1.2 * x / z, 0.8 * y / z, 0.5 / z], -1)
    return seen, math.log(1.2 * 0.8 * 0.5) - 4 * torch.log(z)


def before_a_camera_once(p: Tensor) -> Pair:
    seen, _ = before_a_camera(p)
    return seen, math.log(1.2 * 0.8 * 0.5) - 2 * torch.log(p[..., 2])


class Moebius(nn.Module):
    """y = (a x + b) / (c x + 1), c > 0, for x > -1 / c; `made_of` its slope's numerator."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = nn.Parameter(
            torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
        )

    def forward(self, x: Tensor) -> Pair:
        b, c, e = nn.functional.softplus(self.raw)
        y = ((b * c + e) * x + b) / (c * x + 1)
        return y, (self.slope(b, c, e).log() - 2 * torch.log(c * x + 1)).sum(1)

    def slope(self, b: Tensor, c: Tensor, e: Tensor) -> Tensor:
        return e


class MoebiusAll(Moebius):
    def slope(self, b: Tensor, c: Tensor, e: Tensor) -> Tensor:
        return b * c + e


class Cubic(nn.Module):
    """One map of all numbers, flat at 0: what lacks an absolute value is wrong."""

    def forward(self, x: Tensor) -> Pair:
        return x**3, (math.log(3) + 2 * torch.log(x)).sum(1)


@pytest.mark.thinned(6)
@pytest.mark.parametrize("layer", [before_a_camera, Moebius])
@pytest.mark.parametrize("seed", range(3))
def test_one_side_of_a_pole_is_meant(layer: object, seed: int) -> None:
    made = layer() if isinstance(layer, type) else layer
    report = ldjcheck.check(made, seed=seed)
    assert report.status == "pass", report
    assert report.result.inferred["domain"] == (
        "positive: beyond a pole of the map its ldj is no number"
    )


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [before_a_camera_once, MoebiusAll])
def test_a_mistake_is_found_on_the_side_that_is_meant(layer: object) -> None:
    report = ldjcheck.check(layer() if isinstance(layer, type) else layer)
    assert report.status == "fail"
    assert "LDJ109" not in {finding.code for finding in report.findings}


def test_an_absolute_value_that_is_missing_stays_a_mistake() -> None:
    report = ldjcheck.check(Cubic())
    assert [f.code for f in report.findings if f.severity == "error"] == ["LDJ109"]
