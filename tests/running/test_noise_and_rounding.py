"""Rounding is seen through where noise undoes it, and nowhere else."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import ldjcheck


class OwnNoise(nn.Module):
    """Dequantization whose noise comes from a generator that the layer keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = torch.rand(x.shape, generator=self.generator, dtype=x.dtype)
        ldj = -math.log(256) * x[0].numel()
        return (x + u) / 256, torch.full((len(x),), ldj)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        ldj = math.log(256) * y[0].numel()
        return torch.floor(256 * y), torch.full((len(y),), ldj)


class Rounded(nn.Module):
    """Rounds, and pretends that it did not."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + (torch.round(x) - x).detach(), x.new_zeros(len(x))


class Generative(nn.Module):
    """Dequantization the other way around: forward rounds, the way back adds noise."""

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return torch.floor(8 * y), y.new_full((len(y),), math.log(8) * y[0].numel())

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = (x + torch.rand_like(x)) / 8
        return y, y.new_full((len(y),), -math.log(8) * x[0].numel())


def test_noise_from_the_layers_own_generator_makes_a_dequantization() -> None:
    report = ldjcheck.check(OwnNoise(), shape=(1, 4, 4))
    assert report.status == "pass", report


def test_a_straight_through_rounding_proves_nothing() -> None:
    assert ldjcheck.check(Rounded(), shape=(4,)).status == "unproven"


def test_a_rounding_that_the_way_back_undoes_with_noise_is_no_mistake() -> None:
    report = ldjcheck.check(Generative(), shape=(4,))
    ldjs = [c for c in report.to_dict()["results"][0]["checks"] if c["name"] == "ldj"]
    assert [c["status"] for c in ldjs] == ["pass", "pass"], report
