"""A sign that is wrong one way is turned in a line of that way, if there is one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

import ldjcheck


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3) + 0.2 * torch.randn(3, 3))


class InItsBranch(Linear):
    def forward(self, x: Tensor, ldj: Tensor, reverse: bool = False) -> Any:
        own = torch.linalg.slogdet(self.weight)[1]
        if reverse:
            y = x @ torch.linalg.inv(self.weight)
            ldj = ldj + own.expand(len(x))
        else:
            y = x @ self.weight
            ldj = ldj + own.expand(len(x))
        return y, ldj


def test_no_condition_is_written_where_a_line_is_of_one_way() -> None:
    torch.manual_seed(0)
    (finding,) = ldjcheck.check(InItsBranch()).findings
    assert finding.code == "LDJ302"
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    (edit,) = finding.fix.edits
    assert edit.after.strip() == "ldj = ldj - own.expand(len(x))"
