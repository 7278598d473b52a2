"""A method that is given an input answers for that one, whatever was called since."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints

import ldjcheck


class Keeping(nn.Module):
    """Keeps the log-scales of its last call."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 2)

    def scales(self, x: Tensor) -> Tensor:
        return self.net(x[:, :2]).tanh()

    def forward(self, x: Tensor) -> Tensor:
        self.kept = self.scales(x)
        return torch.cat([x[:, :2], x[:, 2:] * self.kept.exp()], dim=1)


class Coupling(Keeping):
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.kept.sum(1)


class CouplingAnew(Coupling):
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.scales(x).sum(1)


class CouplingOfTheLastCall(Keeping):
    """Its method takes no input: that of the last call is meant."""

    def log_det(self) -> Tensor:
        return self.kept.sum(1)


class Sinh(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        self.last = x
        return x.sinh()

    def forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return self.last.cosh().log().sum(1)


class SinhPadded(Sinh):
    """It is off by a little at every moment, which is another matter."""

    def forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return (self.last.cosh() + 1e-9).log().sum(1)


class SinhAnew(Sinh):
    def forward_log_det_jacobian(self, x: Tensor) -> Tensor:
        return x.cosh().log().sum(1)


class SinhTransform(Transform):
    bijective = True
    domain = codomain = constraints.real_vector

    def _call(self, x: Tensor) -> Tensor:
        self.last = x
        return x.sinh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.asinh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.last.cosh().log().sum(-1)


class SinhTransformKeyed(SinhTransform):
    """What it keeps is that of one input, and it knows of which."""

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if x is not self.last:
            self(x)
        return self.last.cosh().log().sum(-1)


@pytest.mark.thinned(6)
@pytest.mark.parametrize("layer", [Coupling, Sinh, SinhPadded, SinhTransform])
def test_what_answers_for_the_last_call_is_stale(layer: Any) -> None:
    report = ldjcheck.check(layer())
    found = [f.code for f in report.findings if f.severity == "error"]
    assert found == ["LDJ211"], report


RIGHT = [CouplingAnew, CouplingOfTheLastCall, SinhAnew, SinhTransformKeyed]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("layer", RIGHT)
def test_what_answers_for_its_own_input_is_not(layer: Any) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
