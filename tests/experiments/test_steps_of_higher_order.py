"""Coarse steps of an integrator of higher order: a wrong weight is told in its own line."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Midpoint(nn.Module):
    """dx/dt = w tanh x in few steps of order two, and its divergence in closed form."""

    weight = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.5, 0.3, 0.7]))
        self.steps = 8

    def field(self, x: Tensor) -> tuple[Tensor, Tensor]:
        t = torch.tanh(x)
        return self.w * t, (self.w * (1 - t**2)).sum(dim=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = 1.0 / self.steps
        ldj = torch.zeros(len(x), dtype=x.dtype)
        for _ in range(self.steps):
            k, _ = self.field(x)
            change, divergence = self.field(x + 0.5 * h * k)
            x = x + h * change
            ldj = ldj + self.weight * h * divergence
        return x, ldj


class Turned(Midpoint):
    weight = -1.0


def test_few_steps_of_order_two_pass() -> None:
    assert ldjcheck.check(Midpoint(), shape=(3,), pictures=False).status == "pass"


@pytest.mark.slow
def test_a_wrong_weight_is_named_in_the_line_that_adds_it_up() -> None:
    report = ldjcheck.check(Turned(), shape=(3,), pictures=False)
    (finding,) = (f for f in report.findings if f.severity == "error")
    assert finding.code == "LDJ104"
    assert finding.location is not None
    assert "h * divergence" in str(finding.location.text)
