"""What a reader is told when a layer passes with a remark, or nothing was proved."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.numerics.tolerance import allowed_difference


class Gate(nn.Module):
    """One half of the dims scales the other; `eps` stands in the logarithm only."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.net = nn.Linear(2, 2)
        self.eps = eps

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        gate = torch.sigmoid(self.net(a))
        return torch.cat([a, b * gate], 1), torch.log(gate + self.eps).sum(1)


def test_a_harmless_number_inside_a_logarithm_is_a_note_and_the_layer_passes() -> None:
    report = ldjcheck.check(Gate(1e-6), shape=(4,))
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ117", "note")]
    assert report.status == "pass"
    assert report.checks[0].status == "pass"


def test_one_that_costs_something_fails() -> None:
    report = ldjcheck.check(Gate(1e-2), shape=(4,))
    assert report.findings[0].code == "LDJ117"
    assert report.status == "fail"


class RoughInverse(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return 2.0 * x, self.ldj(x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y / 2.0 + 1e-6, -self.ldj(y)

    def ldj(self, x: Tensor) -> Tensor:
        return torch.full((len(x),), x.shape[1] * math.log(2.0))


def test_a_way_back_that_is_a_little_off_says_so_where_nothing_else_is_wrong() -> None:
    report = ldjcheck.check(RoughInverse(), shape=(4,))
    assert report.status == "unproven"
    assert "round trip: off by 1e-06" in str(report)


def test_a_wrapped_layer_is_unwrapped_and_that_is_said() -> None:
    report = ldjcheck.check(nn.DataParallel(Gate(0.0)), shape=(4,))
    assert report.status == "pass"
    assert report.result.inferred["unwrapped"] == "Gate, inside DataParallel"


def test_numbers_that_agree_get_no_allowance_for_saturation() -> None:
    saturated = {"dims": 4, "exact": -60.0, "condition": 1.0, "dtype": "float64"}
    close = allowed_difference(reported=-60.0, contraction=1e-12, **saturated)
    apart = allowed_difference(reported=-60.1, contraction=1e-12, **saturated)
    plain = allowed_difference(reported=-60.1, contraction=1.0, **saturated)
    assert close < 1e-10
    assert apart > 1e4 * plain


class PerChannel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(3, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        area = x.shape[2] * x.shape[3]
        ldj = self.log_scale.sum() * area
        return x * torch.exp(self.log_scale), ldj.expand(len(x))


def test_one_number_per_channel_suggests_an_image_of_so_many_channels() -> None:
    report = ldjcheck.check(PerChannel())
    assert report.status == "pass"
    assert report.checks[0].shape == (3, 4, 6)
