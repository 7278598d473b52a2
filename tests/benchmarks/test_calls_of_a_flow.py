"""How often a flow is called in one check: a number that is the same on any machine."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.running.runner import Runner

RIGHT = 120
"""Calls of a right flow, however deep it is."""


class Coupling(nn.Module):
    sign = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        s = torch.tanh(s)
        return torch.cat([b * torch.exp(s) + t, a], dim=1), self.sign * s.sum(dim=1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        b, a = y.chunk(2, dim=1)
        s, t = self.net(a).chunk(2, dim=1)
        s = torch.tanh(s)
        return torch.cat([a, (b - t) * torch.exp(-s)], dim=1), -s.sum(dim=1)


class Flipped(Coupling):
    sign = -1.0


class Flow(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for layer in self.layers:
            x, ldj = layer(x)
            total = total + ldj
        return x, total

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        total = y.new_zeros(len(y))
        for layer in reversed(self.layers):
            y, ldj = layer.inverse(y)
            total = total + ldj
        return y, total


def calls_of(
    layers: list[nn.Module], status: str, monkeypatch: pytest.MonkeyPatch
) -> int:
    """Return how often a flow, or a sublayer of it, is run until its status is known."""
    calls, plain = 0, Runner.run

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        return plain(*arguments, **options)

    monkeypatch.setattr(Runner, "run", counted)
    assert ldjcheck.check(Flow(*layers)).status == status
    return calls


@pytest.mark.thinned(2)
@pytest.mark.parametrize("count", [2, 8])
def test_calls_of_a_right_flow_do_not_grow_with_its_depth(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layers: list[nn.Module] = [Coupling() for _ in range(count)]
    assert calls_of(layers, "pass", monkeypatch) <= RIGHT


@pytest.mark.slow
def test_calls_of_a_wrong_flow_are_a_few_times_those_of_its_right_twin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    layers = [Coupling(), Coupling(), Flipped(), Coupling()]
    assert calls_of(layers, "fail", monkeypatch) <= 4 * RIGHT
