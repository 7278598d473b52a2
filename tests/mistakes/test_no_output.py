"""An output that is no number has no volume, and says so by its own name."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor, nn

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


@pytest.mark.parametrize("layer", [Log, RootInATotal, LogByMethod])
def test_no_numbers_come_out_where_the_user_feeds_it(layer: Any) -> None:
    report = ldjcheck.check(layer(), domain="real")
    assert [f.code for f in report.findings if f.severity == "error"] == ["LDJ213"]
    assert "--domain" in report.findings[0].evidence[0]


@pytest.mark.parametrize("layer", [Log, RootInATotal, LogByMethod])
def test_where_numbers_come_out_it_is_right(layer: Any) -> None:
    report = ldjcheck.check(layer(), domain="positive")
    assert report.status == "pass", report


def test_a_context_that_was_made_up_is_told() -> None:
    report = ldjcheck.check(RootOfContext(), context={"t": "4:real"})
    assert [f.code for f in report.findings] == ["LDJ213"]
    assert "--context t=" in report.findings[0].evidence[0]
