"""Noise and rounding that no way back can undo are no mistake of the way back."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class FewerBits(nn.Module):
    """Keeps 5 bits of 8, as Glow does, and adds noise: 8 whole numbers have one image."""

    def __init__(self, bits: int = 5) -> None:
        super().__init__()
        self.bits = bits

    def spread(self, x: Tensor) -> Tensor:
        return x * 2 ** (8 - self.bits)

    def forward(self, x: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        levels, change = 2**self.bits, self.bits * math.log(2) * x[0].numel()
        if reverse:
            x = (x * levels).floor().clamp(0, levels - 1)
            return self.spread(x), ldj + change
        x = torch.floor(x / 2 ** (8 - self.bits))
        return (x + torch.rand_like(x)) / levels, ldj - change


class BackToFewer(FewerBits):
    """The way back forgets to spread the levels again."""

    def spread(self, x: Tensor) -> Tensor:
        return x


class JitteredUnit(nn.Module):
    """Pixels in [0, 1] become (255 x + u) / 256, which is as near to x as 1/256."""

    def __init__(self, bound: float = 0.9) -> None:
        super().__init__()
        self.bound = bound

    def back(self, y: Tensor) -> Tensor:
        return ((2 * torch.sigmoid(y) - 1) / self.bound + 1) / 2

    def forward(self, x: Tensor) -> Pair:
        y = (255 * x + torch.rand_like(x)) / 256
        y = ((2 * y - 1) * self.bound + 1) / 2
        slope = self.bound * 255 / 256 / (y * (1 - y))
        return torch.logit(y), slope.log().flatten(1).sum(1)

    def inverse(self, y: Tensor) -> Tensor:
        return self.back(y)


class BackToElsewhere(JitteredUnit):
    """The way back leaves the bound as it is, and misses by more than noise does."""

    def back(self, y: Tensor) -> Tensor:
        return torch.sigmoid(y)


class BitsPerDim(nn.Module):
    """Scales pixels to [0, 1]; its count of them is its author's business."""

    def forward(self, x: Tensor) -> Pair:
        u = torch.rand_like(x)
        return (x + u) / 256, (-math.log(256) * self.count(x)).expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        return (256 * y).floor()

    def count(self, x: Tensor) -> Tensor:
        return torch.tensor(x.shape[1:].numel())


class OfChannels(BitsPerDim):
    def count(self, x: Tensor) -> Tensor:
        return torch.tensor(x.shape[1])


@pytest.mark.slow
def test_a_way_back_may_lead_to_any_number_that_has_the_same_image() -> None:
    report = ldjcheck.check(FewerBits())
    assert (report.status, report.findings) == ("pass", ())
    report = ldjcheck.check(BackToFewer())
    assert [f.code for f in report.findings] == ["LDJ301"]


@pytest.mark.slow
def test_noise_that_is_added_to_real_numbers_comes_back_with_them() -> None:
    report = ldjcheck.check(JitteredUnit())
    assert (report.status, [f.code for f in report.findings]) == ("pass", ["LDJ303"])
    report = ldjcheck.check(BackToElsewhere())
    assert "LDJ301" in {f.code for f in report.findings}


@pytest.mark.slow
def test_whole_numbers_that_take_noise_are_pixels_even_where_vectors_run() -> None:
    report = ldjcheck.check(BitsPerDim())
    assert report.status == "pass"
    assert len(report.checks[0].shape or ()) == 3
    assert [f.code for f in ldjcheck.check(OfChannels()).findings][:1] == ["LDJ102"]
