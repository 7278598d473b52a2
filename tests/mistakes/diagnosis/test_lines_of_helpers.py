"""A term that is left out is missing on the line that makes the ldj, wherever that is."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Gated(nn.Module):
    """y = g z + (1 - g) m, g and m of the dims before: log|det J| = sum(log g)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.means = nn.Parameter(torch.randn(3, 3))
        self.gates = nn.Parameter(torch.randn(3, 3))
        self.register_buffer("before", torch.tril(torch.ones(3, 3), -1))

    def forward(self, z: Tensor) -> Pair:
        m = z @ (self.means * self.before).T
        s = z @ (self.gates * self.before).T + 1.0
        g = torch.sigmoid(s)
        return g * z + (1 - g) * m, self.ldj(g)

    def ldj(self, g: Tensor) -> Tensor:
        return torch.log(g).sum(-1)


class OfTheOtherGate(Gated):
    def ldj(self, g: Tensor) -> Tensor:
        return torch.log(1 - g).sum(-1)


@pytest.mark.slow
def test_what_a_helper_leaves_out_is_missing_in_the_helper() -> None:
    assert ldjcheck.check(Gated()).status == "pass"
    (finding,) = ldjcheck.check(OfTheOtherGate()).findings
    assert finding.code == "LDJ110"
    assert finding.location is not None
    assert finding.location.line == inspect.getsourcelines(OfTheOtherGate.ldj)[1] + 1
