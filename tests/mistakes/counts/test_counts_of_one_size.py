"""A count that is written as a number is right at one size, and named at all others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class OneScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor(0.2))


class OfMnist(OneScale):
    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), (784 * self.log_s).expand(len(x))


class OfMoons(OneScale):
    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), (2 * self.log_s).expand(len(x))


class OfThreeChannels(OneScale):
    def forward(self, x: Tensor) -> Pair:
        pixels = 3 * x.shape[2] * x.shape[3]
        return x * self.log_s.exp(), (pixels * self.log_s).expand(len(x))


class OfCifar(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(3, 1, 1))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), (32 * 32 * self.log_s.sum()).expand(len(x))


PIXELS = 3072


class OfTheModule(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return x / 256, torch.full((len(x),), -math.log(256) * PIXELS)


class OfItsImages(nn.Module):
    """It turns the channels, as well as single precision knows to, and adds nothing for it."""

    def __init__(self, sizes: tuple[int, int, int] = (3, 6, 6)) -> None:
        super().__init__()
        turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float32))[0]
        self.register_buffer("turn", turn[:, :, None, None])
        self.log_s = nn.Parameter(torch.randn(3, 1, 1))
        self.n_pixels = self.count(sizes)

    def count(self, sizes: tuple[int, int, int]) -> int:
        return math.prod(sizes)

    def forward(self, x: Tensor) -> Pair:
        y = nn.functional.conv2d(x * self.log_s.exp(), self.turn)
        return y, (self.n_pixels * self.log_s.sum()).expand(len(x))


class OfItsPlaces(OfItsImages):
    """Each channel's scale counts once for each place."""

    def count(self, sizes: tuple[int, int, int]) -> int:
        return math.prod(sizes[1:])


OF_ONE_SIZE = {
    "784": (OfMnist, "`self.log_s` is counted 784 times at every shape", "784"),
    "2": (OfMoons, "`self.log_s` is counted 2 times at every shape", "2"),
    "32 * 32": (OfCifar, "`self.log_s` is counted 1024 times at every shape", "1024"),
    "a constant of the module": (
        OfTheModule,
        "is counted 3072 times at every shape",
        "3072",
    ),
    "108 that is held": (OfItsImages, "counted 108 times at every shape", "108"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_ONE_SIZE)
def test_a_count_of_one_size_is_named_with_the_size_and_mended(name: str) -> None:
    layer, told, number = OF_ONE_SIZE[name]
    (finding,) = ldjcheck.check(layer()).findings
    assert finding.code == "LDJ103"
    assert told in finding.message
    assert any(
        f"is {number}: " in line and "shape=" in line for line in finding.evidence
    )
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"


@pytest.mark.parametrize("sizes", [(3, 6, 6), (3, 5, 7)])
def test_a_held_count_of_the_places_that_it_is_built_for_is_right(
    sizes: tuple[int, int, int],
) -> None:
    report = ldjcheck.check(OfItsPlaces(sizes))
    assert report.status == "pass", report


def test_the_size_of_one_axis_beside_others_is_a_warning() -> None:
    report = ldjcheck.check(OfThreeChannels())
    assert report.status == "pass", report
    assert [finding.code for finding in report.findings] == ["LDJ121"]
    assert "at (3, 4, 6) alone" in str(report).partition("\n")[0]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(OfMnist, (1, 28, 28)), (OfMoons, (2,)), (OfCifar, (3, 32, 32))],
)
def test_at_that_size_it_is_right(
    layer: type[nn.Module], shape: tuple[int, ...]
) -> None:
    report = ldjcheck.check(layer(), shape=shape)
    assert report.status == "pass", str(report)
    assert "LDJ121" in [finding.code for finding in report.findings]


def test_a_fix_counts_whatever_the_shape() -> None:
    (finding,) = ldjcheck.check(OfMnist()).findings
    assert finding.fix is not None
    assert [edit.after.strip() for edit in finding.fix.edits] == [
        "return x * self.log_s.exp(), (math.prod(x.shape[1:]) * self.log_s).expand(len(x))"
    ]
