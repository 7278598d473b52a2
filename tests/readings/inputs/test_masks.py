"""What is fed beside the input may have to be zeros and ones, whatever it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair


class Padded(nn.Module):
    """Frames that are not valid pass unchanged; `counted` says which are counted."""

    def __init__(self, counted: str = "valid") -> None:
        super().__init__()
        self.net = nn.Conv1d(2, 4, 1)
        self.counted = counted

    def forward(self, x: Tensor, valid: Tensor) -> Pair:
        x0, x1 = x.chunk(2, 1)
        m, logs = self.net(x0).chunk(2, 1)
        y1 = (m + x1 * torch.exp(logs)) * valid + x1 * (1 - valid)
        logdet = logs * valid if self.counted == "valid" else logs
        return torch.cat([x0, y1], 1), logdet.sum((1, 2))


class Squared(nn.Module):
    """A context of any numbers, which is counted wrong: only for zeros and ones is it right."""

    def forward(self, x: Tensor, context: Tensor) -> Pair:
        return x * torch.exp(context), (context**2).sum(1)


@pytest.mark.slow
def test_a_mask_by_any_name_is_one() -> None:
    right = ldjcheck.check(Padded(), shape=(4, 5))
    assert right.status == "pass", str(right)
    assert right.result.inferred["valid"].startswith("zeros and ones")
    assert ldjcheck.check(Padded("all"), shape=(4, 5)).status == "fail"


def test_a_context_is_no_mask() -> None:
    assert ldjcheck.check(Squared(), shape=(3,)).status == "fail"
