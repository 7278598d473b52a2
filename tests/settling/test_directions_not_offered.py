"""A direction that a layer refuses in words is absent; one that fails is a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints

import ldjcheck
from ldjcheck.running.failed_calls import LayerRaisedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_layers import Pair


class BackAlone(nn.Module):
    """Runs from z to x only."""

    refusal: Exception = ValueError("forward is not available here; use inverse")

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(-0.6, 0.5, 3))

    def forward(self, x: Tensor) -> Pair:
        raise self.refusal

    def inverse(self, z: Tensor) -> Pair:
        return z * self.scale.exp(), self.scale.sum().expand(len(z))


class BackAloneTurned(BackAlone):
    def inverse(self, z: Tensor) -> Pair:
        x, ldj = super().inverse(z)
        return x, -ldj


class Accumulating(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(-0.6, 0.5, 3))

    def forward(self, z: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        if not reverse:
            raise RuntimeError("Not supported.")
        return z * self.scale.exp(), ldj + self.ldj()

    def ldj(self) -> Tensor:
        return self.scale.sum()


class AccumulatingMean(Accumulating):
    def ldj(self) -> Tensor:
        return self.scale.mean()


class Sinh(Transform):
    domain = codomain = constraints.real
    bijective = True
    sign = -1.0

    def _call(self, x: Tensor) -> Tensor:
        raise RuntimeError("sampling is not supported by this transform, use .inv")

    def _inverse(self, y: Tensor) -> Tensor:
        return torch.sinh(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.sign * torch.log(torch.cosh(y))


class SinhTurned(Sinh):
    sign = 1.0


class ThereAlone(nn.Module):
    def forward(self, x: Tensor) -> Pair:
        return x.sinh(), x.cosh().log().sum(-1)

    def inverse(self, y: Tensor) -> Pair:
        raise RuntimeError("This flow doesn't implement an inverse")


@pytest.mark.parametrize("layer", [BackAlone, Accumulating, Sinh, ThereAlone])
def test_the_direction_that_works_is_checked_alone(
    layer: Callable[[], object],
) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
    statuses = [c.status for c in report.checks if c.name == "ldj"]
    assert sorted(statuses) == ["not-available", "pass"]


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("layer", "code"),
    [
        (BackAloneTurned, "LDJ302"),
        (AccumulatingMean, "LDJ105"),
        (SinhTurned, "LDJ302"),
    ],
)
def test_what_is_wrong_with_it_is_found(layer: Callable[[], object], code: str) -> None:
    report = ldjcheck.check(layer())
    assert [f.code for f in report.findings if f.severity == "error"] == [code]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x is out of range"),
        RuntimeError("float16 is not supported"),
        ValueError("inverse is not supported for inputs of this shape"),
        ValueError("the forward pass diverged"),
    ],
)
def test_another_error_stays_a_fault(error: Exception) -> None:
    layer = BackAlone()
    layer.refusal = error
    assert ldjcheck.check(layer).findings[0].code == "LDJ005"


def test_what_an_operation_cannot_do_is_no_refusal() -> None:
    with pytest.raises(ValueError, match="not supported") as raised:
        int("inverse is not supported")
    assert not LayerRaisedError(raised.value).means_absent


class LeftForLater(nn.Module):
    """The way back is to be written; what it asserts before the map is of another kind."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(-0.6, 0.5, 3))

    def forward(self, x: Tensor, rev: bool = False) -> Pair:
        assert not rev, "TODO: way back"
        return x * self.scale.exp(), self.scale.sum().expand(len(x))


class LeftForLaterMean(LeftForLater):
    def forward(self, x: Tensor, rev: bool = False) -> Pair:
        y, ldj = super().forward(x, rev)
        return y, ldj / 3


class FailsOnTheWayBack(LeftForLater):
    def forward(self, x: Tensor, rev: bool = False) -> Pair:
        far = bool((x.abs() > 100).any())
        assert not (rev and not far), "nothing is far"
        return super().forward(x)


def test_a_flag_that_is_refused_alone_is_no_way_back() -> None:
    report = ldjcheck.check(LeftForLater())
    assert report.status == "pass", report
    assert "forward only" in str(report)
    assert ldjcheck.check(LeftForLaterMean()).status == "fail"


def test_what_else_is_asserted_on_the_way_back_is_a_fault() -> None:
    assert ldjcheck.check(FailsOnTheWayBack()).findings[0].code == "LDJ005"


class HalfWritten(nn.Module):
    """The way there is right; the way back is left for later."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.linspace(-0.6, 0.5, 3))

    def forward(self, x: Tensor) -> Pair:
        return x * self.scale.exp(), self.scale.sum().expand(len(x))

    def inverse(self, y: Tensor) -> Pair:
        pass  # type: ignore[return]  # as it stands in many a sheet


class ReturnForgotten(HalfWritten):
    def inverse(self, y: Tensor) -> Pair:  # type: ignore[return]  # that is the slip
        x, ldj = y * (-self.scale).exp(), -self.scale.sum().expand(len(y))
        self.last = x, ldj


def test_a_way_back_that_is_not_written_yet_is_absent() -> None:
    report = ldjcheck.check(HalfWritten())
    assert report.status == "pass", report
    assert report.findings == ()
    assert "PASS  forward only" in str(report)


def test_a_way_back_that_computes_and_returns_nothing_is_a_fault() -> None:
    report = ldjcheck.check(ReturnForgotten())
    assert [finding.code for finding in report.findings] == ["LDJ005"], report
    assert "is its `return` missing?" in report.findings[0].message


class WithoutLdj(HalfWritten):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x * self.scale.exp()


def test_of_a_map_that_reports_no_ldj_one_can_be_derived() -> None:
    report = ldjcheck.check(WithoutLdj())
    assert [finding.code for finding in report.findings] == ["LDJ004"], report
    assert "ldjcheck.derive(layer)" in "\n".join(report.findings[0].evidence)
