"""A transform of torch has one formula: minus it is what the library says of the way back."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Transform, constraints

import ldjcheck


class Sinh(Transform):
    """y = sinh(x); the way back is off by a shift, or by a factor."""

    domain = codomain = constraints.real
    bijective = True

    def __init__(self, *, shift: float = 0.0, factor: float = 1.0) -> None:
        super().__init__()
        self.shift, self.factor = shift, factor

    def _call(self, x: Tensor) -> Tensor:
        return torch.sinh(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.factor * torch.asinh(y) + self.shift

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cosh(x).log()


class Tanh(Sinh):
    """The same with a wrong formula."""

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.cosh(y).log()


def codes(layer: Transform) -> list[str]:
    return [f.code for f in ldjcheck.check(layer, shape=(4,)).findings]


@pytest.mark.slow
@pytest.mark.parametrize("off", [{"shift": 0.1}, {"factor": 1.5}])
def test_a_right_formula_is_not_blamed_for_a_way_back_that_leads_elsewhere(
    off: dict[str, float],
) -> None:
    report = ldjcheck.check(Sinh(**off), shape=(4,))
    assert [(f.code, f.direction) for f in report.findings] == [("LDJ301", "inverse")]
    assert report.status == "fail"
    assert [check.status for check in report.checks][:3] == [
        "pass",
        "not-available",
        "fail",
    ]


def test_one_that_leads_back_is_checked() -> None:
    report = ldjcheck.check(Sinh(), shape=(4,))
    assert report.status == "pass"
    assert report.checks[1].status == "pass"


@pytest.mark.slow
def test_a_wrong_formula_is_still_named_beside_a_wrong_way_back() -> None:
    assert codes(Tanh(shift=0.1)) == ["LDJ112", "LDJ301"]
