"""Layers that pass on the total they are given, and not what it was made of."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Scale(nn.Module):
    """Adds its own ldj to what comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.linspace(-0.4, 0.5, 4))

    def passed_on(self, ldj: Tensor) -> Tensor:
        return ldj

    def forward(self, x: Tensor, ldj: Tensor, reverse: bool = False) -> Pair:
        if reverse:
            return x * torch.exp(-self.log_s), ldj - self.log_s.sum()
        return x * self.log_s.exp(), self.passed_on(ldj) + self.log_s.sum()


class Detached(Scale):
    def passed_on(self, ldj: Tensor) -> Tensor:
        return ldj.detach()


class Rebuilt(Scale):
    def passed_on(self, ldj: Tensor) -> Tensor:
        return torch.tensor(ldj.tolist(), dtype=ldj.dtype)


class InPlace(Scale):
    def passed_on(self, ldj: Tensor) -> Tensor:
        ldj += 0.0
        return ldj


@pytest.mark.slow
def test_a_total_whose_derivative_is_cut_is_found() -> None:
    (finding,) = ldjcheck.check(Detached(), shape=(4,)).findings
    assert (finding.code, finding.direction) == ("LDJ210", "forward")
    assert "`incoming ldj` is missing" in finding.message
    assert finding.location is not None
    assert finding.location.text == "return ldj.detach()"
    assert finding.fix is not None
    (rebuilt,) = ldjcheck.check(Rebuilt(), shape=(4,)).findings
    assert rebuilt.code == "LDJ210"


def test_a_total_that_is_passed_on_passes() -> None:
    assert ldjcheck.check(Scale(), shape=(4,)).status == "pass"
    assert ldjcheck.check(InPlace(), shape=(4,)).status == "pass"


class Projected(nn.Module):
    """Takes its log-scales back to where they are allowed, at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.5, -0.5, 0.5, -0.5]))

    def forward(self, x: Tensor) -> Pair:
        with torch.no_grad():
            self.log_s.clamp_(-0.5, 0.5)
        return x * self.log_s.exp(), self.log_s.sum().expand(len(x))


def test_parameters_that_a_call_takes_back_have_no_slope_to_compare() -> None:
    report = ldjcheck.check(Projected(), shape=(4,))
    assert report.status == "pass", report
    assert "writes into its parameters" in report.result.inferred["gradient forward"]
