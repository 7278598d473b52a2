"""The log of a parameter: whether a minus sign is out of reach is not always known."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ldjcheck


class ChannelScale(nn.Module):
    """A scale per channel that starts at the spread of the first batch."""

    def __init__(self, log):
        super().__init__()
        self.log = log
        self.scale = nn.Parameter(torch.ones(1, 3, 1, 1))
        self.register_buffer("initialized", torch.tensor(0))

    def forward(self, x):
        if self.initialized == 0:
            with torch.no_grad():
                self.scale.copy_(1 / x.std((0, 2, 3), keepdim=True))
            self.initialized.fill_(1)
        height, width = x.shape[2:]
        ldj = height * width * self.log(self.scale).sum()
        return self.scale * x, ldj.expand(len(x))


class Turning(nn.Module):
    """A matrix whose determinant is made positive when it is built."""

    def __init__(self, log):
        super().__init__()
        self.log = log
        weight = torch.linalg.qr(torch.randn(4, 4))[0]
        if torch.det(weight) < 0:
            weight[:, 0] = -weight[:, 0]
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return x @ self.weight, self.log(self.weight).expand(len(x))


class Temperature(nn.Module):
    """A sigmoid with one learned number inside."""

    def __init__(self, log):
        super().__init__()
        self.log = log
        self.t = nn.Parameter(torch.tensor([1.0]))

    def forward(self, x):
        y = torch.sigmoid(self.t * x)
        slope = F.logsigmoid(self.t * x) + F.logsigmoid(-self.t * x)
        return y, (self.log(self.t) + slope).sum(-1)


def of_abs(scale):
    return scale.abs().log()


def by_slogdet(weight):
    return torch.linalg.slogdet(weight)[1]


@pytest.mark.slow
def test_scales_that_start_positive_may_turn_negative_in_training() -> None:
    report = ldjcheck.check(ChannelScale(torch.log), shape=(3, 2, 5))
    errors = [f.code for f in report.findings if f.severity == "error"]
    assert errors == ["LDJ109"]
    assert report.findings[0].bits_per_dim is None


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (ChannelScale(of_abs), (3, 2, 5)),
        (Turning(by_slogdet), (4,)),
        (Temperature(of_abs), (5,)),
    ],
    ids=["scales", "matrix", "number"],
)
def test_with_an_absolute_value_every_orientation_is_proved(layer, shape) -> None:
    assert ldjcheck.check(layer, shape=shape).status == "pass"


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(Turning(torch.logdet), (4,)), (Temperature(torch.log), (5,))],
    ids=["matrix", "number"],
)
def test_where_the_sign_may_be_known_nothing_is_proved(layer, shape) -> None:
    report = ldjcheck.check(layer, shape=shape)
    assert report.status == "unproven"  # they cannot be built anew
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ109", "unproven")]
    assert "the ldj is NaN" in report.to_dict()["results"][0]["inferred"]["orientation"]


def test_as_built_is_as_built() -> None:
    report = ldjcheck.check(ChannelScale(torch.log), shape=(3, 2, 5), params="as-is")
    assert report.status == "pass"


class TwoWays(nn.Module):
    """A scale per dim; each direction takes its log in a way of its own."""

    def __init__(self, log, back):
        super().__init__()
        self.log, self.back = log, back
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.scale * x, self.log(self.scale).sum().expand(len(x))

    def inverse(self, y):
        return y / self.scale, -self.back(self.scale).sum().expand(len(y))


def of_what_is_held_above_zero(scale):
    return scale.clamp(min=1e-3).log()


@pytest.mark.slow
@pytest.mark.parametrize("back", [torch.log, of_what_is_held_above_zero])
def test_a_way_back_is_turned_around_like_the_way_there(back) -> None:
    report = ldjcheck.check(TwoWays(of_abs, back), shape=(4,))
    assert report.status == "fail"
    assert {f.direction for f in report.findings} == {"inverse"}
    assert ldjcheck.check(TwoWays(of_abs, of_abs), shape=(4,)).status == "pass"


def test_a_way_back_that_reports_nothing_is_not_held_against_a_sign() -> None:
    report = ldjcheck.check(TwoWays(of_abs, torch.zeros_like), shape=(4,))
    assert report.status == "pass"
    assert [f.code for f in report.findings] == ["LDJ303"]
