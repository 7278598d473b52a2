"""A term that lacks is added as the statement nearby adds its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import ldjcheck

if TYPE_CHECKING:
    from pathlib import Path

KEPT = """
import torch
from torch import nn
class Pairs(nn.Module):
    def __init__(self):
        super().__init__()
        self.s = nn.Parameter(0.3 * torch.randn(2))
        self.last = nn.Parameter(0.3 * torch.randn(3))
        self.log_det = None
    def forward(self, x):
        head = x[:, :2] * self.s.exp()
        tail = x[:, 2:] * self.last.exp()
        self.log_det = SUM.expand(x.shape[0])
        return torch.cat([head, tail], 1)
"""


@pytest.mark.parametrize("summed", ["self.s.sum()", "torch.sum(self.s)"])
def test_a_term_that_lacks_is_added_where_the_kept_ldj_is_summed(
    summed: str, tmp_path: Path
) -> None:
    """Steps that come before the ldj is set have no total that could be added to."""
    (tmp_path / "kept.py").write_text(KEPT.replace("SUM", summed), encoding="utf-8")
    report = ldjcheck.check(f"{tmp_path / 'kept.py'}:Pairs")
    (fix,) = [f.fix for f in report.findings if f.fix is not None]
    alike = summed.replace("self.s", "self.last")
    assert f"self.log_det = ({summed} + {alike}).expand" in str(fix), report
