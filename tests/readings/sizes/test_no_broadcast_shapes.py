"""A size at which one part is spread over another is none that the layer is made for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class Heights(nn.Module):
    """Moves the height of each point of a cloud, given where it is: `(batch, points, 3)`."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(2, 2)

    def total(self, s: Tensor) -> Tensor:
        return s.sum(dim=(-1, -2))

    def forward(self, points: Tensor) -> Pair:
        place, height = points[..., :2], points[..., 2:]
        s, t = self.net(place).chunk(2, dim=-1)
        return torch.cat([place, height * s.exp() + t], -1), self.total(s)


class HeightsAveraged(Heights):
    def total(self, s: Tensor) -> Tensor:
        return s.mean(1).sum(-1)


class OneScaleForAHalf(nn.Module):
    """Scales all of a half by one number, and counts it once."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(2, 1)

    def ldj(self, s: Tensor, half: Tensor) -> Tensor:
        return s.squeeze(1)

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, dim=1)
        s = torch.tanh(self.net(a))
        return torch.cat([a, b * s.exp()], 1), self.ldj(s, b)


class OneScaleForAHalfCounted(OneScaleForAHalf):
    def ldj(self, s: Tensor, half: Tensor) -> Tensor:
        return half.shape[1] * s.squeeze(1)


class TwiceForAHalf(OneScaleForAHalf):
    """Made for halves of two, as its network is: of three dims the second half has one."""

    def ldj(self, s: Tensor, half: Tensor) -> Tensor:
        return 2 * s.squeeze(1)


def test_a_count_need_not_hold_where_halves_are_uneven() -> None:
    report = ldjcheck.check(TwiceForAHalf())
    assert report.status == "pass", str(report)
    assert {check.shape for check in report.result.checks if check.shape} == {(4,)}


def test_points_in_space_have_three_coordinates() -> None:
    report = ldjcheck.check(Heights())
    assert report.status == "pass", str(report)
    assert "(8, 3)" in report.to_dict()["results"][0]["inferred"]["shape"]


def test_a_mean_over_points_is_called_by_its_name() -> None:
    assert ldjcheck.check(HeightsAveraged()).findings[0].code == "LDJ105"


def test_a_half_may_have_one_scale() -> None:
    assert ldjcheck.check(OneScaleForAHalfCounted()).status == "pass"


def test_halves_are_not_made_uneven_to_find_a_size_at_which_it_is_right() -> None:
    report = ldjcheck.check(OneScaleForAHalf())
    assert report.status == "fail", str(report)


class Bins(nn.Module):
    """Piecewise linear on the unit cube, each moved dim by bins of its own."""

    dims, bins, counted = 4, 5, 2.0

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.half = self.dims // 2
        self.net = nn.Linear(self.half, self.half * self.bins)

    def forward(self, x: Tensor) -> Pair:
        a, b = x[:, : self.half], x[:, self.half :]
        widths = self.net(a).view(-1, self.half, self.bins).softmax(2)
        place = b.clamp(0, 1 - 1e-7) * self.bins
        bin_ = place.long()
        before = torch.cat([torch.zeros_like(widths[..., :1]), widths.cumsum(2)], 2)
        width = widths.gather(2, bin_[..., None]).squeeze(2)
        start = before.gather(2, bin_[..., None]).squeeze(2)
        y = start + (place - bin_) * width
        ldj = width.log().sum(1) + self.counted * math.log(self.bins)
        return torch.cat([a, y], 1), ldj


class BinsCountedOnce(Bins):
    counted = 1.0


def test_a_size_at_which_bins_are_left_over_is_none_of_the_layers() -> None:
    report = ldjcheck.check(Bins())
    assert report.status == "pass", str(report)


@pytest.mark.slow
def test_a_count_of_bins_that_is_wrong_at_the_layers_own_size_is_found() -> None:
    assert ldjcheck.check(BinsCountedOnce()).status == "fail"


class Mixture(nn.Module):
    """A mixture of distribution functions, one for each moved dim, by an axis put in."""

    dims, parts = 4, 3

    def __init__(self) -> None:
        super().__init__()
        self.half = self.dims // 2
        self.net = nn.Linear(self.half, self.half * 2 * self.parts)

    def opened(self, b: Tensor) -> Tensor:
        return b.unsqueeze(-1)

    def ldj(self, log_density: Tensor, below: Tensor, above: Tensor) -> Tensor:
        return (log_density - below - above).sum(1)

    def forward(self, x: Tensor) -> Pair:
        a, b = x[:, : self.half], x[:, self.half :]
        shares, means = self.net(a).view(-1, self.half, 2 * self.parts).chunk(2, -1)
        shares, at = shares.log_softmax(-1), self.opened(b) - means
        up, down = nn.functional.logsigmoid(at), nn.functional.logsigmoid(-at)
        below, above = (torch.logsumexp(shares + each, -1) for each in (up, down))
        density = torch.logsumexp(shares + up + down, -1)
        return torch.cat([a, below - above], 1), self.ldj(density, below, above)


class MixtureByIndex(Mixture):
    def opened(self, b: Tensor) -> Tensor:
        return b[..., None]


class MixtureHalf(Mixture):
    def ldj(self, log_density: Tensor, below: Tensor, above: Tensor) -> Tensor:
        return (log_density - below).sum(1)


@pytest.mark.parametrize("dims", [4, 6])
@pytest.mark.parametrize("kind", [Mixture, MixtureByIndex])
def test_an_axis_that_is_put_in_is_there_to_be_spread(
    kind: type[Mixture], dims: int
) -> None:
    layer = type("Sized", (kind,), {"dims": dims})()
    assert ldjcheck.check(layer).status == "pass"
    wrong = ldjcheck.check(type("Sized", (MixtureHalf,), {"dims": dims})())
    assert wrong.status == "fail"
    assert wrong.result.checks[0].shape == (dims,)
    assert not {f.code for f in wrong.findings} & {"LDJ207", "LDJ106"}, wrong
