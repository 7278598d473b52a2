"""Where a mistake of the flow stands: in the flow's lines, not in those of its sublayers."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import (
    Independent,
    Normal,
    TransformedDistribution,
    transforms,
)

import ldjcheck


class Flow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Couple(), Couple(), Couple()])


class KeepsTheLast(Flow):
    def forward(self, x: Tensor) -> Any:
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, ldj = layer(x)
            total = ldj
        return x, total


class KeepsTheLastByMethods(Flow):
    def forward(self, x: Tensor) -> Any:
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, total = layer.forward(x)
        return x, total


class Couple(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.net = nn.Linear(2, 4)

    def forward(self, x: Tensor) -> Any:
        kept, moved = x.chunk(2, dim=1)
        s, t = self.net(kept).chunk(2, dim=1)
        return torch.cat([moved * s.exp() + t, kept], dim=1), s.sum(dim=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [KeepsTheLast, KeepsTheLastByMethods])
def test_a_total_that_is_overwritten_is_the_flows_mistake(kind: type[Flow]) -> None:
    first = ldjcheck.check(kind(), shape=(4,)).findings[0]
    assert first.code == "LDJ110"
    assert first.message.startswith("The flow keeps only")
    assert first.location is not None
    lines, start = inspect.getsourcelines(kind)
    assert start <= first.location.line < start + len(lines)


class Turned(transforms.TanhTransform):
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -super().log_abs_det_jacobian(x, y)


@pytest.mark.slow
def test_a_mistake_stands_in_ones_own_code_and_not_in_what_torch_makes_of_it() -> None:
    scale = transforms.AffineTransform(1.0, torch.tensor([0.5, 2.0, 3.0]))
    base = Independent(Normal(torch.zeros(3), 1.0), 1)
    model = TransformedDistribution(base, [scale, Turned()])
    first = ldjcheck.check(model, kind="model", shape=(3,)).findings[0]
    assert first.code == "LDJ104"
    assert first.location is not None
    assert first.location.text == "return -super().log_abs_det_jacobian(x, y)"
