"""A call that never ends is given up: the time is looked at while it goes on."""

from __future__ import annotations

import time

import pytest
import torch
from torch import Tensor, nn

import ldjcheck
from ldjcheck.records import Deadline, TimeIsUpError
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.guard import EndlessError, Frozen, Guard


class Forever(nn.Module):
    """Goes on until a number is reached that no step leads to."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        while float(x.abs().sum()) >= 0:
            x = x * 1.0
        return x, torch.zeros(len(x))


class Solved(nn.Module):
    """Its way back iterates; edits of the slip make that part from the solution."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([0.3, -0.2, 0.1]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        bend = torch.tanh(self.a) * torch.sin(x)
        slope = 1 + torch.tanh(self.a) * torch.cos(x)
        return x + bend, slope.log().sum(1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x = y
        while True:
            new = y - torch.tanh(self.a) * torch.sin(x) + 0.1
            if float((new - x).abs().max()) < 1e-12:
                return new, -self.forward(new)[1]
            x = new


@pytest.mark.slow
def test_a_layer_that_never_comes_back_costs_no_more_than_its_time() -> None:
    began = time.thread_time()
    report = ldjcheck.check(Forever(), timeout=2)
    assert [finding.code for finding in report.findings] == ["LDJ007"], report
    first, second, *_ = report.findings[0].evidence
    assert first.startswith("It was in line 2"), report
    assert second.strip() in {"x = x * 1.0", "while float(x.abs().sum()) >= 0:"}
    assert time.thread_time() - began < 6


@pytest.mark.slow
def test_an_edit_with_which_a_search_never_ends_is_no_fix_and_no_hang() -> None:
    report = ldjcheck.check(Solved(), shape=(3,))
    assert report.findings[0].code == "LDJ301", report
    assert "LDJ007" not in str(report)


@pytest.mark.parametrize(
    ("manner", "timeout", "raised"),
    [
        (Manner(patience=50), None, EndlessError),
        (Manner(), Deadline(seconds=0.05).started(), TimeIsUpError),
    ],
)
def test_a_call_is_given_up_within_itself(
    manner: Manner, timeout: Deadline | None, raised: type[BaseException]
) -> None:
    with pytest.raises(raised), Guard(Frozen(), manner, timeout=timeout):
        Forever()(torch.ones(2, 3))
