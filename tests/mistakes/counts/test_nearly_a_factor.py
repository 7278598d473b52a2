"""What takes steps is off by what they cost as well: a factor of the rest is told nearly."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Continuous(nn.Module):
    """Euler steps, and the integral of the trace: times `factor`, and a step's length."""

    def __init__(self, factor: float, steps: int = 10) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a = nn.Parameter(torch.randn(6, 2) * 0.3)
        self.b = nn.Parameter(torch.randn(2, 6) * 0.3)
        self.factor, self.steps = factor, steps

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        step = 1 / self.steps
        total = x.new_zeros(len(x))
        for _ in range(self.steps):
            h = torch.tanh(x @ self.a.T)
            trace = (1 - h.square()) @ (self.b.T * self.a).sum(1)
            x, total = x + step * h @ self.b.T, total + self.factor * step * trace
        return x, total


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "code"), [(-1.0, "LDJ104"), (10.0, "LDJ114")])
def test_a_factor_of_an_integral_is_told(factor: float, code: str) -> None:
    """By the traces of its steps it is told exactly, and mended."""
    report = ldjcheck.check(Continuous(factor))
    assert report.status == "fail", report
    (finding,) = report.findings
    assert finding.code == code


@pytest.mark.slow
def test_steps_alone_are_no_factor() -> None:
    assert ldjcheck.check(Continuous(1.0)).status == "pass"
