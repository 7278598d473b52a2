"""A wrong flow that calls a part on pieces of another batch is told, and no fault of ours."""

from __future__ import annotations

from typing import Any

import torch
from small_layers import Affine
from torch import Tensor, nn

import ldjcheck


class Pieces(nn.Module):
    """Runs one part on all halves at once, twice the batch; its ldj has a stray 0.5."""

    def __init__(self) -> None:
        super().__init__()
        self.part = Affine(2)
        self.last = Affine(4)

    def forward(self, x: Tensor) -> Any:
        halves, ldj = self.part(x.reshape(-1, 2))
        y, more = self.last(halves.reshape(-1, 4))
        return y, ldj.reshape(-1, 2).sum(1) + more + 0.5


def test_it_fails_with_its_name() -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(Pieces(), shape=(4,))
    assert report.status == "fail", report
    assert report.findings[0].code == "LDJ111"
