"""Monotone splines of an interval: where they turn back, beyond its ends, is no fold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class Quadratic(nn.Module):
    """Piecewise quadratic from an interval onto itself, its density piecewise linear."""

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.low, self.high = low, high
        self.widths = nn.Parameter(torch.randn(2, 4) / 2)
        self.heights = nn.Parameter(torch.randn(2, 5) / 2)

    def density(self, left: Tensor, right: Tensor, at: Tensor) -> Tensor:
        return torch.log(left + at * (right - left))

    def forward(self, x: Tensor) -> Pair:
        u = (x - self.low) / (self.high - self.low)
        w, v = self.widths.softmax(-1), self.heights.exp()
        areas = (v[:, 1:] + v[:, :-1]) / 2 * w
        v, areas = v / areas.sum(-1, keepdim=True), areas / areas.sum(-1, keepdim=True)
        knots, cdf = (F.pad(each.cumsum(-1), (1, 0)) for each in (w, areas))
        k = (u[..., None] >= knots[:, 1:-1]).sum(-1)
        d = torch.arange(2).expand_as(k)
        at = (u - knots[d, k]) / w[d, k]
        left, right = v[d, k], v[d, k + 1]
        y = cdf[d, k] + w[d, k] * (at**2 / 2 * (right - left) + at * left)
        ldj = self.density(left, right, at).sum(-1)
        return self.low + (self.high - self.low) * y, ldj


class HeldUp(Quadratic):
    """The density is kept away from zero, so that its logarithm is finite everywhere."""

    def density(self, left: Tensor, right: Tensor, at: Tensor) -> Tensor:
        return torch.log((left + at * (right - left)).clamp_min(1e-12))


class Held(nn.Module):
    """A coupling on the unit cube, piecewise linear; a clamp holds what is beyond it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(2, 8)

    def ldj(self, heights: Tensor) -> Tensor:
        return torch.log(4 * heights).sum(-1)

    def forward(self, x: Tensor) -> Pair:
        a, b = x[:, :2], x[:, 2:]
        shares = self.net(a).view(-1, 2, 4).softmax(-1)
        at = b.clamp(0, 1 - 1e-7) * 4
        k = at.long()
        left = F.pad(shares.cumsum(-1), (1, 0)).gather(-1, k[..., None]).squeeze(-1)
        height = shares.gather(-1, k[..., None]).squeeze(-1)
        return torch.cat([a, left + (at - k) * height], -1), self.ldj(height)


class HeldCountedByBins(Held):
    def ldj(self, heights: Tensor) -> Tensor:
        return torch.log(heights).sum(-1)


class LeftHeight(Quadratic):
    def density(self, left: Tensor, right: Tensor, at: Tensor) -> Tensor:
        return torch.log(left) + 0 * at


class Parabola(nn.Module):
    """Keeps 0 and 1, and folds whatever the numbers are: nothing holds it to an interval."""

    def forward(self, x: Tensor) -> Pair:
        return x**2, torch.log(2 * x.abs()).sum(-1)


def as_units(x: Tensor, low: float = -1.5, high: float = 1.5) -> Pair:
    """Return x in units of an interval that no layer holds, and how to go back."""
    return (x - low) / (high - low), torch.tensor([low, high - low])


class Unmarked(Quadratic):
    """The same on an interval that only the defaults of its helper know."""

    def forward(self, x: Tensor) -> Pair:
        u, (low, size) = as_units(x)
        y, ldj = super().forward(u)
        return low + size * y, ldj


class Curved(nn.Module):
    """From 0 to 1, where no piece is found below and the last goes on, and turns, beyond."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.tensor([0.8, -0.6]))

    def forward(self, x: Tensor) -> Pair:
        if bool((x < 0).any()):
            raise IndexError("index -1 is out of bounds")
        bend = torch.tanh(self.raw)
        slope = 1 + bend * (1 - 2 * x)
        return x + bend * x * (1 - x), slope.log().sum(1)


class Clamped(nn.Module):
    """A logit, of pixels that are held off both ends; what is beyond, it takes for these."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.times = times

    def log_prob(self, x: Tensor) -> Tensor:
        x = x.clamp(1e-6, 1 - 1e-6)
        z, ldj = torch.logit(x), -torch.log(x * (1 - x)).sum(1)
        return (
            torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) + self.times * ldj
        )


@pytest.mark.slow
def test_what_is_held_at_its_ends_is_looked_at_between_them() -> None:
    report = ldjcheck.check(Clamped(), shape=(3,))
    assert report.status == "pass", str(report)
    assert report.result.inferred["domain"].startswith("unit: beyond it")
    assert ldjcheck.check(Clamped(2.0), shape=(3,)).status == "fail"


def test_ends_that_only_the_code_knows_are_found() -> None:
    report = ldjcheck.check(Unmarked())
    assert report.status == "pass", str(report)
    assert report.result.inferred["domain"].startswith("interval:-1.5:1.5")


def test_a_spline_that_finds_no_piece_below_zero_is_fed_what_lies_between() -> None:
    report = ldjcheck.check(Curved())
    assert report.status == "pass", str(report)
    assert report.result.inferred["domain"].startswith("unit")


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("layer", "domain"),
    [
        (Quadratic(), "unit"),
        (HeldUp(), "unit"),
        (Held(), "unit"),
        pytest.param(Quadratic(-1.0, 1.0), "interval:-1:1", marks=pytest.mark.slow),
    ],
)
def test_a_spline_is_looked_at_between_the_ends_that_it_keeps(
    layer: nn.Module, domain: str
) -> None:
    report = ldjcheck.check(layer)
    assert report.status == "pass", str(report)
    assert report.to_dict()["results"][0]["inferred"]["domain"].startswith(domain)


@pytest.mark.slow
@pytest.mark.parametrize("layer", [LeftHeight, HeldCountedByBins])
def test_between_its_ends_a_wrong_density_is_still_wrong(
    layer: type[nn.Module],
) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "fail"
    assert not {"LDJ109", "LDJ304"} & {finding.code for finding in report.findings}


def test_a_map_that_no_parameter_moves_is_not_excused() -> None:
    report = ldjcheck.check(Parabola())
    assert report.status != "pass"
    assert "LDJ304" in {finding.code for finding in report.findings}


def bent(x: Tensor, times: float = 1.0) -> Pair:
    """From 0 to 1 by two parabolas that meet, of numbers that nobody learns."""
    at = (x.detach() >= 0.35).long()
    left, below, width, rise, start = x.new_tensor(
        [[0.0, 0.0, 0.35, 0.5, 0.7], [0.35, 0.5, 0.65, 0.5, 1.2]]
    )[at].unbind(-1)
    a = (x - left) / width
    y = below + rise * (start * a + (1 - start) * a**2)
    slope = rise / width * (start + times * 2 * (1 - start) * a)
    return y, torch.log(slope).sum(-1)


def bent_by_half(x: Tensor) -> Pair:
    return bent(x, times=0.5)


@pytest.mark.parametrize("seed", range(3))
def test_what_has_no_parameters_ends_where_it_still_grows(seed: int) -> None:
    report = ldjcheck.check(lambda x: bent(x), seed=seed)
    assert report.status == "pass", report
    assert report.result.inferred["domain"].startswith("unit: its ends stay")
    wrong = ldjcheck.check(bent_by_half, seed=seed)
    assert wrong.status == "fail"
    assert not {"LDJ109", "LDJ304"} & {finding.code for finding in wrong.findings}


class Rational(nn.Module):
    """Of degree two over two on the unit interval: beyond it still grows, and is no more
    what its way back undoes, which takes the root that lies within."""

    root = -1

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2))

    def slopes(self) -> Tensor:
        return F.softplus(self.w, beta=0.6931471805599453)

    def ldj(self, x: Tensor) -> Tensor:
        d0, d1 = self.slopes()
        below = 1 + (d1 + d0 - 2) * x * (1 - x)
        above = d0 + 2 * (1 - d0) * x + (d1 + d0 - 2) * x**2
        return torch.log(above / below**2).sum(1)

    def forward(self, x: Tensor) -> Pair:
        d0, d1 = self.slopes()
        below = 1 + (d1 + d0 - 2) * x * (1 - x)
        return x * (x + d0 * (1 - x)) / below, self.ldj(x)

    def inverse(self, y: Tensor) -> Pair:
        d0, d1 = self.slopes()
        b = (d1 + d0 - 2) * y - d0
        a = -1 - b
        x = (-b + self.root * torch.sqrt(b**2 - 4 * y * a)) / (2 * a)
        return x, -self.ldj(x)


class OtherRoot(Rational):
    root = 1


class NotTurned(Rational):
    def inverse(self, y: Tensor) -> Pair:
        x, ldj = super().inverse(y)
        return x, -ldj


def test_where_only_what_lies_between_the_ends_comes_back_the_map_ends_there() -> None:
    report = ldjcheck.check(Rational(), shape=(3,))
    assert report.status == "pass", report
    assert report.result.inferred["domain"].startswith("unit")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "code"), [(OtherRoot, "LDJ301"), (NotTurned, "LDJ302")]
)
def test_a_way_back_that_is_wrong_between_the_ends_is_wrong(
    layer: type[Rational], code: str
) -> None:
    assert code in {f.code for f in ldjcheck.check(layer(), shape=(3,)).findings}


TURN = 2 * math.pi


class Turning(nn.Module):
    """Moves what lies between 0 and a turn, whose ends are written as a name or with pi."""

    factor = 2.0

    def __init__(self) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.tensor(0.4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a = 1 + F.softplus(self.raw)
        u = x / TURN
        y = TURN * u**a / (u**a + (1 - u) ** a)
        ldj = a.log() + (a - 1) * (u.log() + (1 - u).log())
        return y, (ldj - self.factor * (u**a + (1 - u) ** a).log()).sum(1)


class TurningOnce(Turning):
    factor = 1.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_an_end_may_be_a_number_of_the_module(seed: int) -> None:
    report = ldjcheck.check(Turning(), shape=(3,), seed=seed)
    assert report.status == "pass", report
    assert ldjcheck.check(TurningOnce(), shape=(3,), seed=seed).status == "fail"


class OfShares(nn.Module):
    """Mixes what lies between 0 and 1, is no number beyond, and its ends move."""

    def __init__(self, half: float = 0.5) -> None:
        super().__init__()
        self.half = half

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = 0.3 - torch.sqrt(1 - x**2)
        return y, (x.log() - self.half * torch.log1p(-(x**2))).sum(1)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_no_number_beyond_the_unit_interval_is_judged_within(seed: int) -> None:
    report = ldjcheck.check(OfShares(), shape=(3,), seed=seed)
    assert report.status == "pass", report
    assert ldjcheck.check(OfShares(1.0), shape=(3,), seed=seed).status == "fail"
