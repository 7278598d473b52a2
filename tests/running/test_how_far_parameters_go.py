"""Parameters are moved only as far as the layer bears: beyond that nothing is proved."""

from __future__ import annotations

import pytest
import torch
from benchmarks.flows import Glow
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Deep(nn.Module):
    """Couplings that start at the identity; moved by 0.3 their scales leave float64.

    What their networks say is taken fortyfold, so that the smallest moves go far.
    """

    def __init__(self, sign: float = 1.0) -> None:
        super().__init__()
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 4))
            for _ in range(6)
        )
        for net in self.nets:
            nn.init.zeros_(net[2].weight)
            nn.init.zeros_(net[2].bias)
        self.sign = sign

    def forward(self, x: Tensor) -> Pair:
        ldj = x.new_zeros(len(x))
        for net in self.nets:
            a, b = x.chunk(2, dim=1)
            s, t = (40 * net(a)).chunk(2, dim=1)
            x = torch.cat([b * s.exp() + t, a], dim=1)
            ldj = ldj + self.sign * s.sum(1)
        return x, ldj


class Wide(nn.Module):
    """A coupling whose network has so many hidden units, built as torch does."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(3, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 6),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        return torch.cat([a, b * s.exp() + t], dim=1), s.sum(1)


@pytest.mark.parametrize("hidden", [16, 256])
def test_the_width_of_a_network_does_not_decide_how_far_it_is_moved(
    hidden: int,
) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(Wide(hidden))
    assert report.status == "pass", report
    assert not said(report)
    (check, *_) = report.checks
    assert max(abs(sample.exact) for sample in check.samples) < 20


class Refuses(nn.Module):
    """It asserts what holds as it is built, and not where its weights are far off."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(40))

    def forward(self, x: Tensor) -> Pair:
        assert (self.w > 0.7).all()
        return x * self.w, self.w.log().sum().expand(len(x))


def said(report: ldjcheck.Report) -> str:
    return report.to_dict()["results"][0]["inferred"].get("parameters", "")


@pytest.mark.parametrize("make", [Deep, Refuses])
def test_a_layer_is_looked_at_nearer_to_how_it_was_built(make: type) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(make())
    assert report.status == "pass", report
    assert said(report).startswith("moved by 0.")


@pytest.mark.slow
def test_a_wrong_layer_is_named_there_too() -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(Deep(sign=-1.0))
    assert report.findings[0].code == "LDJ104", report
    assert said(report)


def test_a_map_that_loses_dims_loses_them_nearer_by_too() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(4))

        def forward(self, x: Tensor) -> Pair:
            y = (x * self.w).mean(1, keepdim=True).expand_as(x)
            return y, self.w.abs().log().sum().expand(len(x))

    report = ldjcheck.check(Flat())
    assert report.findings[0].code == "LDJ304", report
    assert not said(report)


class RefusesBack(Refuses):
    """The same of the way back, as quantiles are refused where a map has come to its end."""

    def forward(self, x: Tensor) -> Pair:
        return x * self.w, self.w.abs().log().sum().expand(len(x))

    def inverse(self, y: Tensor) -> Pair:
        assert (self.w > 0.7).all()
        return y / self.w, -self.w.log().sum().expand(len(y))


class Unfinished(RefusesBack):
    def inverse(self, y: Tensor) -> Pair:
        raise ValueError("to be done")


def test_a_way_back_may_refuse_parameters_that_were_moved_too_far() -> None:
    report = ldjcheck.check(RefusesBack())
    assert report.status == "pass", report
    assert said(report).startswith("moved by 0.")


def test_a_way_back_that_raises_however_little_is_moved_is_told_of() -> None:
    report = ldjcheck.check(Unfinished())
    assert [(f.code, f.direction) for f in report.findings] == [("LDJ005", "inverse")]
    assert not said(report)


@pytest.mark.slow
def test_a_deep_flow_of_many_dims_is_moved_by_its_fan_in_and_stays_smooth() -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(Glow(levels=2, steps=2, hidden=16), shape=(3, 8, 8))
    assert report.status == "pass", report
    assert not said(report)


class OneByOne(nn.Module):
    """Each of many dims is scaled and shifted by all before it: the way back adds up error.

    `turned` leads back to another point, wherever its parameters are.
    """

    def __init__(self, turned: float = 1.0) -> None:
        super().__init__()
        self.shift, self.scale = (nn.Parameter(torch.zeros(64, 64)) for _ in range(2))
        self.turned = turned

    def told(self, x: Tensor) -> Pair:
        t, s = (4 * x @ w.tril(-1).T for w in (6 * self.shift, self.scale))
        return t, torch.tanh(s)

    def forward(self, x: Tensor) -> Pair:
        t, s = self.told(x)
        return x * s.exp() + t, s.sum(1)

    def inverse(self, y: Tensor) -> Pair:
        x = torch.zeros_like(y)
        for i in range(64):
            t, s = self.told(x)
            ends = torch.arange(64) == i
            x = torch.where(ends, (y - self.turned * t) * (-s).exp(), x)
        return x, -self.told(x)[1].sum(1)


def test_many_dims_are_moved_no_further_than_their_way_back_leads_back() -> None:
    report = ldjcheck.check(OneByOne(), timeout=60)
    assert report.status == "pass", report
    assert "rounding hides where the way back leads" in said(report)


@pytest.mark.slow
def test_a_way_back_that_leads_elsewhere_however_little_is_moved_is_told_of() -> None:
    report = ldjcheck.check(OneByOne(turned=-1.0), timeout=20)
    assert report.status == "fail", report
    assert report.findings[0].code == "LDJ301"


class NarrowCoupling(nn.Module):
    """Scales by how near its network comes to zero: moved far, by almost nothing."""

    def __init__(self, spread: float, width: float = 20.0, slip: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(2, 4)
        self.spread = nn.Parameter(torch.full((4,), spread))
        self.at_start, self.width, self.slip = spread, width, slip

    def _heads(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        shift, h = (self.at_start * self.net(kept) / self.spread).chunk(2, 1)
        return shift, torch.sigmoid(2.0 - self.width * h.square())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        changed, kept = x.chunk(2, 1)
        shift, scale = self._heads(kept)
        changed = scale * changed + shift
        return torch.cat([changed, kept], 1), scale.log().sum(1)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        changed, kept = z.chunk(2, 1)
        shift, scale = self._heads(kept)
        changed = (changed - shift) / scale + self.slip
        return torch.cat([changed, kept], 1), -scale.log().sum(1)


def test_no_parameter_is_moved_to_where_rounding_leads_the_way_back_astray() -> None:
    report = ldjcheck.check(NarrowCoupling(0.3))
    assert report.status == "pass", report
    assert "rounding hides where the way back leads" in said(report)


@pytest.mark.slow
def test_a_slip_of_such_a_way_back_is_found() -> None:
    report = ldjcheck.check(NarrowCoupling(0.3, slip=1e-3))
    assert report.status == "fail", report
    assert report.findings[0].code == "LDJ301"


def test_a_way_back_that_rounding_makes_infinite_everywhere_is_not_called_wrong() -> (
    None
):
    report = ldjcheck.check(NarrowCoupling(0.1, width=100.0))
    assert report.status == "unproven", report
