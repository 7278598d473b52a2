"""A column is one number per sample first; axes of size one may stand for a diagonal."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints

import ldjcheck

FACTORS = torch.tensor([0.5, -1.2, 2.0])
Pair = tuple[Tensor, Tensor]


class Scaling(Transform):
    """Its events are vectors, and its domain does not say so."""

    bijective = True
    domain = codomain = constraints.real

    def _call(self, x: Tensor) -> Tensor:
        return x * FACTORS

    def _inverse(self, y: Tensor) -> Tensor:
        return y / FACTORS

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return FACTORS.abs().log().sum().expand(len(x), 1)


class Undeclared(Transform):
    """The same, of which nothing at all is declared."""

    bijective = True
    _call, _inverse = Scaling._call, Scaling._inverse

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return FACTORS.abs().log().sum().expand(len(x))


class UndeclaredByEntry(Undeclared):
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return FACTORS.abs().log().expand_as(x)


class Twice(Scaling):
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return 2 * FACTORS.abs().log().sum().expand(len(x), 1)


class Row(Scaling):
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return FACTORS.abs().log().sum().expand(len(x))


class OneFactor(Scaling):
    """One number for all entries, each of which it is the ldj of."""

    def _call(self, x: Tensor) -> Tensor:
        return x * 3.0

    def _inverse(self, y: Tensor) -> Tensor:
        return y / 3.0

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.full((len(x), 1), 3.0).log()


class ByMethod(nn.Module):
    """A method gives the ldj, as a column."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(FACTORS.clone())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.a

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.a.abs().log().sum().expand(len(x), 1)


class MeanByMethod(ByMethod):
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.a.abs().log().mean().expand(len(x), 1)


class Channels(nn.Module):
    """One scale a channel, with the rank of x."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s


class ChannelsInATotal(Channels):
    def forward(self, z: Tensor, ldj: Tensor) -> Pair:  # type: ignore[override]  # another convention
        return z * self.log_s.exp(), ldj + self.log_s


class ChannelsByMethod(Channels):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]  # another convention
        return x * self.log_s.exp()

    def log_det(self, x: Tensor) -> Tensor:
        return self.log_s


class ChannelsTurned(Channels):
    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), -self.log_s


class ChannelsSummed(Channels):
    def forward(self, x: Tensor) -> Pair:
        return x * self.log_s.exp(), self.log_s.sum()


class ColumnOfOneFactor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Pair:
        return x * self.w.sum().exp(), self.w.sum().expand(len(x), 1)


RIGHT = (Scaling, Undeclared, UndeclaredByEntry, OneFactor, ByMethod)

WRONG = {
    Twice: ["LDJ114"],
    Row: ["LDJ201", "LDJ201"],
    MeanByMethod: ["LDJ105"],
    Channels: ["LDJ202"],
    ChannelsInATotal: ["LDJ202"],
    ChannelsByMethod: ["LDJ202"],
    ChannelsSummed: ["LDJ102"],
    ColumnOfOneFactor: ["LDJ202"],
}


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", RIGHT, ids=lambda kind: kind.__name__)
def test_right_whichever_reading_agrees(layer: Any) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "codes"), WRONG.items(), ids=lambda v: getattr(v, "__name__", "")
)
def test_wrong_in_one_reading_and_the_other(layer: Any, codes: list[str]) -> None:
    report = ldjcheck.check(layer())
    assert [f.code for f in report.findings if f.severity == "error"] == codes, report


def test_a_wrong_sign_stays_wrong_in_both_readings() -> None:
    report = ldjcheck.check(ChannelsTurned())
    assert report.status == "fail"
    assert {"LDJ202"} < {f.code for f in report.findings}
