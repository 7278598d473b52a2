"""A way back of many dims that leads elsewhere is excused by no rounding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ldjcheck


class Shifted(nn.Module):
    """The way back is off by 0.1."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return 2 * x, torch.full((len(x),), 200 * torch.tensor(2.0).log().item())

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = y / 2 + 0.1
        return x, -torch.full((len(y),), 200 * torch.tensor(2.0).log().item())


def test_a_way_back_that_is_off_fails_whatever_rounding_does() -> None:
    report = ldjcheck.check(Shifted(), shape=(200,))
    assert [f.code for f in report.findings if f.severity == "error"] == ["LDJ301"]
