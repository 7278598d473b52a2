"""An output that is no number has no volume, and says so by its own name."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Log(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return x.log(), -x.abs().log().sum(1)


class RootInATotal(nn.Module):
    def forward(self, z: Tensor, ldj: Tensor) -> Pair:
        return z.sqrt(), ldj - (2 * z.abs().sqrt()).log().sum(1)


class LogByMethod(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.log()

    def log_det(self, x: Tensor) -> Tensor:
        return -x.abs().log().sum(1)


class RootOfContext(nn.Module):
    def forward(self, x: Tensor, t: Tensor) -> Pair:
        return x * t.sqrt(), 0.5 * t.abs().log().sum(1)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", [Log, RootInATotal, LogByMethod])
def test_no_numbers_come_out_where_the_user_feeds_it(layer: Any) -> None:
    report = ldjcheck.check(layer(), domain="real")
    assert [f.code for f in report.findings if f.severity == "error"] == ["LDJ213"]
    assert "domain=" in report.findings[0].evidence[0]


@pytest.mark.parametrize("layer", [Log, RootInATotal, LogByMethod])
def test_where_numbers_come_out_it_is_right(layer: Any) -> None:
    report = ldjcheck.check(layer(), domain="positive")
    assert report.status == "pass", report


def test_a_context_that_was_made_up_is_told() -> None:
    report = ldjcheck.check(RootOfContext(), context={"t": "4:real"})
    assert [f.code for f in report.findings] == ["LDJ213"]
    assert "context={'t': " in report.findings[0].evidence[0]


class SteepSigmoid(nn.Module):
    """Right, and so steep that most of what goes in comes out as 0 or 1 in float64."""

    steepness = 250.0

    def _ldj(self, x: Tensor) -> Tensor:
        slopes = F.logsigmoid(self.steepness * x) + F.logsigmoid(-self.steepness * x)
        return (math.log(self.steepness) + slopes).sum(dim=1)

    def forward(self, x: Tensor) -> Pair:
        return torch.sigmoid(self.steepness * x), self._ldj(x)

    def inverse(self, y: Tensor) -> Pair:
        x = torch.logit(y) / self.steepness
        return x, -self._ldj(x)


class InfiniteBack(SteepSigmoid):
    """Leads nowhere from where the way there is steep."""

    steepness = 1.0

    def inverse(self, y: Tensor) -> Pair:
        x, ldj = super().inverse(y)
        return x / 0.0, ldj


def test_a_way_back_from_where_the_way_there_saturates_is_no_mistake() -> None:
    report = ldjcheck.check(SteepSigmoid())
    found = [(f.code, f.severity) for f in report.findings]
    assert (report.status, found) == ("unproven", [("LDJ213", "unproven")]), report


def test_a_way_back_that_is_infinite_elsewhere_is_one() -> None:
    report = ldjcheck.check(InfiniteBack())
    assert report.status == "fail", report
    assert ("LDJ213", "error") in [(f.code, f.severity) for f in report.findings]
