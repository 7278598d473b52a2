"""An event with too few axes is spread over what a layer holds: that tells its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class OfFrames(nn.Module):
    """A scale for each channel in the first frames; others are padding, and stay."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.linspace(-0.4, 0.5, 3))
        self.shift = nn.Parameter(torch.linspace(0.1, -0.3, 3))
        self.register_buffer("mask", (torch.arange(5) < 3).float())

    def frames(self) -> Tensor | int:
        return self.mask.sum()

    def forward(self, x: Tensor) -> Pair:
        m = self.mask[None, :, None]
        y = m * (self.shift + self.log_s.exp() * x) + (1 - m) * x
        return y, (self.log_s.sum() * self.frames()).repeat(len(x))


class OfAllFrames(OfFrames):
    """Wrong: it counts the frames that stay."""

    def frames(self) -> Tensor | int:
        return len(self.mask)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", [OfFrames, OfAllFrames])
@pytest.mark.parametrize("seed", range(3))
def test_a_layer_of_so_many_rows_is_asked_with_them(
    layer: type[OfFrames], seed: int
) -> None:
    result = ldjcheck.check(layer(), seed=seed).result
    right = layer is OfFrames
    assert result.status == ("pass" if right else "fail")
    assert {check.shape for check in result.checks if check.samples} <= {(5, 3)}
    assert right or "LDJ103" in {finding.code for finding in result.findings}


class AddsAnAxis(OfFrames):
    """Broken: whatever goes in comes back with an axis more, and so many times over."""

    def forward(self, x: Tensor) -> Pair:
        return (x * self.log_s.exp())[:, None], torch.ones(7)


class AddsAnAxisInFront(AddsAnAxis):
    def forward(self, x: Tensor) -> Pair:
        return (x * self.log_s.exp())[None], self.log_s.sum().expand(len(x))


@pytest.mark.parametrize("layer", [AddsAnAxis, AddsAnAxisInFront])
def test_what_adds_an_axis_each_time_is_told_so(layer: type[OfFrames]) -> None:
    (finding,) = ldjcheck.check(layer()).findings
    assert finding.severity == "error"
    assert "shape" in finding.message


class OntoSphere(nn.Module):
    """To a sphere in one more dim, by a sum that keeps its axis; the area is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.eye(3) + 0.1)

    def forward(self, x: Tensor) -> Pair:
        x = x @ self.a.T
        r = x.square().sum(-1, keepdim=True)
        area = x.shape[-1] * torch.log(2 / (1 + r[..., 0]))
        return torch.cat([2 * x, r - 1], -1) / (r + 1), area + self.a.slogdet()[1]


def test_a_sum_that_keeps_its_axis_is_no_part_that_is_spread() -> None:
    report = ldjcheck.check(OntoSphere())
    assert (report.status, report.checks[0].shape) == ("pass", (3,))
