"""Scales of dims that one step of several leaves alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ldjcheck


class ScaledCoupling(nn.Module):
    """Scales every dim, then half of them, and counts the scales of the other half too."""

    def __init__(self) -> None:
        super().__init__()
        self.log_a = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))
        self.net = nn.Linear(4, 4)
        self.register_buffer("mask", torch.tensor([0.0, 0.0, 1.0, 1.0]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x * self.log_a.exp()
        s = torch.tanh(self.net(x * (1 - self.mask)))
        return x * torch.exp(s * self.mask), self.log_a.sum() + s.sum(1)


def test_dims_that_one_step_alone_leaves_as_they_are_are_counted_there() -> None:
    torch.manual_seed(0)
    found = ldjcheck.check(ScaledCoupling(), shape=(4,)).findings[0]
    assert found.name == "masked-dims-counted"
    assert found.fix is not None
    assert "(s * self.mask).sum(1)" in found.fix.edits[0].after
