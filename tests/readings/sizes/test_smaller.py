"""Mistakes of large events are explained where events are small, and mended at both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair

SIDE, WIDTH = 20, 24


def network(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, WIDTH, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(WIDTH, 2 * channels, 3, padding=1),
    )


class Masked(nn.Module):
    """A coupling whose mask is made for one size."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network(1)
        places = torch.arange(SIDE)[:, None] + torch.arange(SIDE)
        self.register_buffer("mask", (places % 2).float()[None, None])

    def moved(self, x: Tensor) -> Pair:
        s, t = self.net(x * self.mask).chunk(2, 1)
        return torch.tanh(s) * (1 - self.mask), t * (1 - self.mask)

    def forward(self, x: Tensor) -> Pair:
        s, t = self.moved(x)
        return x * s.exp() + t, s.sum(dim=(1, 2, 3))


class MaskedFlipped(Masked):
    def forward(self, x: Tensor) -> Pair:
        s, t = self.moved(x)
        return x * s.exp() + t, -s.sum(dim=(1, 2, 3))


class AveragedOverPlaces(Masked):
    def forward(self, x: Tensor) -> Pair:
        s, t = self.moved(x)
        return x * s.exp() + t, s.mean(dim=(1, 2, 3))


class OfAnySize(nn.Module):
    """A coupling of channels, which takes images of every size."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network(1)

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        s = torch.tanh(s)
        return torch.cat([a, b * s.exp() + t], 1), -s.sum(dim=(1, 2, 3))


class WrongWhereLarge(Masked):
    """The ldj is right but for the last of its places, which no small copy has."""

    def forward(self, x: Tensor) -> Pair:
        s, t = self.moved(x)
        far = s[..., 8:, 8:].sum(dim=(1, 2, 3))
        return x * s.exp() + t, s.sum(dim=(1, 2, 3)) + far


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "shape", "code", "told"),
    [
        (MaskedFlipped, (1, SIDE, SIDE), "LDJ104", "its masks are cropped"),
        (OfAnySize, (2, SIDE, SIDE), "LDJ104", "it takes any size"),
        (AveragedOverPlaces, (1, SIDE, SIDE), "LDJ105", "its masks are cropped"),
    ],
)
def test_a_mistake_is_explained_at_a_small_size_and_mended_at_both(
    layer: type[nn.Module], shape: tuple[int, ...], code: str, told: str
) -> None:
    report = ldjcheck.check(layer(), shape=shape)
    finding = report.findings[0]
    assert finding.code == code
    assert told in report.result.inferred["explained at"]
    assert f"At {'x'.join(map(str, shape))} " in report.result.inferred["explained at"]
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"


@pytest.mark.slow
def test_the_screen_says_at_which_size_a_mistake_is_explained() -> None:
    report = str(ldjcheck.check(MaskedFlipped(), shape=(1, SIDE, SIDE)))
    assert (
        "  Explained at 1x2x4, where it is wrong in the same way: its masks" in report
    )


@pytest.mark.slow
def test_what_is_right_is_not_looked_at_elsewhere() -> None:
    report = ldjcheck.check(Masked(), shape=(1, SIDE, SIDE))
    assert report.status == "pass"
    assert "explained at" not in report.result.inferred


@pytest.mark.slow
def test_what_no_small_copy_shows_fails_at_its_own_size() -> None:
    report = ldjcheck.check(WrongWhereLarge(), shape=(1, SIDE, SIDE))
    assert report.status == "fail"
    assert "explained at" not in report.result.inferred


class FlippedAndMoreWhereLarge(Masked):
    """Without its minus it is right where events are small, and nowhere else."""

    def forward(self, x: Tensor) -> Pair:
        s, t = self.moved(x)
        more = 1 + x.flatten(1).shape[1] // (SIDE * SIDE)
        return x * s.exp() + t, -s.sum(dim=(1, 2, 3)) * more


@pytest.mark.slow
def test_an_edit_that_is_right_at_a_small_size_alone_is_none() -> None:
    report = ldjcheck.check(FlippedAndMoreWhereLarge(), shape=(1, SIDE, SIDE))
    assert report.status == "fail"
    assert "explained at" in report.result.inferred
    fixes = [finding.fix for finding in report.findings if finding.fix is not None]
    assert not [fix for fix in fixes if fix.applicability == "verified"]


class CountsItsPlaces(nn.Module):
    """A mixing of channels and a coupling in one method; it holds its height and width."""

    def __init__(self) -> None:
        super().__init__()
        self.height, self.width = SIDE, SIDE
        self.weight = nn.Parameter(torch.eye(4) + 0.3 * torch.randn(4, 4))
        self.net = network(2)

    def places(self) -> int:
        return self.height * self.width

    def forward(self, x: Tensor) -> Pair:
        x = torch.einsum("ij,bjhw->bihw", self.weight, x)
        a, b = x.chunk(2, 1)
        s, t = self.net(a).chunk(2, 1)
        s = torch.tanh(s)
        log_scale = torch.linalg.slogdet(self.weight)[1]
        ldj = self.places() * log_scale + s.sum(dim=(1, 2, 3))
        return torch.cat([a, b * s.exp() + t], 1), ldj


class CountsRows(CountsItsPlaces):
    def places(self) -> int:
        return self.height


@pytest.mark.slow
def test_a_number_that_a_layer_counts_with_is_made_smaller_with_its_events() -> None:
    report = ldjcheck.check(CountsRows(), shape=(4, SIDE, SIDE))
    finding = report.findings[0]
    assert finding.code == "LDJ103"
    assert "needs\n  W times" in str(report)
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    explained = report.result.inferred["explained at"]
    assert "it counts with its size (height)" in explained


@pytest.mark.slow
def test_one_that_counts_all_places_passes() -> None:
    report = ldjcheck.check(CountsItsPlaces(), shape=(4, SIDE, SIDE))
    assert report.status == "pass"
    assert "height as its height" in report.result.inferred["size"]
    assert report.findings == ()
