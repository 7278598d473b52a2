"""The multiplications of a call are those of its matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ldjcheck.running.guard import Frozen, Guard

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 3


@pytest.mark.parametrize(
    ("call", "count"),
    [
        (lambda: nn.Linear(4, 5)(torch.ones(BATCH, 4)), BATCH * 4 * 5),
        (lambda: torch.ones(2, 3) @ torch.ones(3, 7), 2 * 3 * 7),
        (lambda: torch.ones(2, 3) @ torch.ones(3), 2 * 3),
        (lambda: torch.addmm(torch.ones(7), torch.ones(2, 3), torch.ones(3, 7)), 42),
        (
            lambda: nn.Conv2d(2, 5, 3, padding=1)(torch.ones(BATCH, 2, 6, 4)),
            BATCH * 6 * 4 * 5 * 2 * 9,
        ),
        (
            lambda: functional.conv_transpose1d(
                torch.ones(BATCH, 2, 6), torch.ones(2, 5, 3)
            ),
            BATCH * 6 * 2 * 5 * 3,
        ),
        (lambda: torch.ones(BATCH, 4).exp() * 2, 0),
    ],
)
def test_they_are_counted(call: Callable[[], Tensor], count: int) -> None:
    with Guard(Frozen()) as guard:
        call()
    assert guard.multiplications == count
