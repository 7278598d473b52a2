"""Layers of many dims, checked whole: their structure is proved, never assumed."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.oracle.structured import LARGE

SIDE = 12
SHAPE = (1, SIDE, SIDE)


def test_these_images_are_large() -> None:
    assert LARGE <= SIDE * SIDE


class Coupling(nn.Module):
    """A coupling by a checkerboard, whose network sees one half of the pixels."""

    def __init__(self) -> None:
        super().__init__()
        place = torch.arange(SIDE)
        board = (place[:, None] + place[None]) % 2
        self.register_buffer("mask", board.float().view(1, 1, SIDE, SIDE))
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 2, 3, padding=1)
        )

    def scale_and_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.net(x * self.mask).chunk(2, dim=1)
        s = torch.tanh(s) * (1 - self.mask)
        return s, t * (1 - self.mask)

    def summed(self, s: Tensor) -> Tensor:
        return s.sum(dim=(1, 2, 3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.scale_and_shift(x)
        return x * torch.exp(s) + t, self.summed(s)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.scale_and_shift(y)
        return (y - t) * torch.exp(-s), -self.summed(s)


class Averaged(Coupling):
    def summed(self, s: Tensor) -> Tensor:
        return s.mean(dim=(1, 2, 3))


class InverseSign(Coupling):
    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x, ldj = super().inverse(y)
        return x, -ldj


class HalfUndone(Coupling):
    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        s, t = self.scale_and_shift(y)
        return y * torch.exp(-s) - t, -self.summed(s)


class Leaking(nn.Module):
    """Scales that hang on a pixel that is scaled itself: no determinant of a coupling."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        s = torch.zeros_like(x)
        s[:, :, 0, 1] = torch.tanh(x[:, :, 0, 0])
        s[:, :, 0, 0] = torch.tanh(x[:, :, 0, 1])
        return x * torch.exp(s), s.sum(dim=(1, 2, 3))


class Detached(nn.Module):
    """A scale that autograd does not see, and that the ldj leaves out as well."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * torch.exp(torch.tanh(x.detach())), torch.tanh(x).sum(dim=(1, 2, 3))


class Dequantize(nn.Module):
    """Noise is added to whole numbers, which are then scaled."""

    def count(self, x: Tensor) -> int:
        return x[0].numel()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = (x + torch.rand_like(x)) / 256
        ldj = -math.log(256) * self.count(x) * torch.ones(len(x), dtype=z.dtype)
        return z, ldj

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.floor(z * 256).clamp(0, 255)
        ldj = math.log(256) * self.count(z) * torch.ones(len(z), dtype=z.dtype)
        return x, ldj


class DequantizeOnce(Dequantize):
    def count(self, x: Tensor) -> int:
        return 1


def checked(make: Any) -> ldjcheck.Report:
    torch.manual_seed(0)
    return ldjcheck.check(make(), shape=SHAPE)


def forward_of(report: ldjcheck.Report) -> dict[str, Any]:
    (check,) = (
        c
        for c in report.to_dict()["results"][0]["checks"]
        if (c["name"], c["direction"]) == ("ldj", "forward")
    )
    assert isinstance(check, dict)
    return check


@pytest.mark.parametrize("make", [Coupling, Dequantize])
def test_a_right_layer_passes_by_few_products(make: Any) -> None:
    report = checked(make)
    assert report.status == "pass", str(report)
    check = forward_of(report)
    assert check["method"] == "products"
    assert 0 < check["products"] < SIDE * SIDE / 4
    assert check["structure"] in ("diagonal", "triangular", "identity")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "code", "direction"),
    [
        (Averaged, "LDJ105", "forward"),
        (InverseSign, "LDJ302", "inverse"),
        (HalfUndone, "LDJ301", "inverse"),
        (DequantizeOnce, "LDJ101", "forward"),
    ],
)
def test_a_mistake_is_named_as_on_small_inputs(
    make: Any, code: str, direction: str
) -> None:
    report = checked(make)
    assert report.status == "fail", str(report)
    first = report.findings[0]
    assert (first.code, first.direction) == (code, direction), str(report)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("make", [Leaking, Detached])
def test_no_structure_is_proved_that_is_not_there(make: Any) -> None:
    report = checked(make)
    assert report.status == "fail", str(report)
    assert report.findings[0].code.startswith("LDJ1")
