"""A layer that is made for one size only, which is beyond what can be checked exactly."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_layers import Affine
from torch import Tensor, nn

import ldjcheck


class Pixelwise(nn.Module):
    """A scale for every entry of an image."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(1, *shape))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        assert x.shape[1:] == self.log_scale.shape[1:]
        return x * self.log_scale.exp(), self.log_scale.sum().expand(len(x))


def test_its_size_is_said_to_be_beyond_the_limit() -> None:
    (finding,) = ldjcheck.check(Pixelwise(3, 64, 64)).findings
    assert finding.code == "LDJ007"
    assert finding.message == "12288 dims are above the limit of 4096."
    assert ldjcheck.check(Pixelwise(3, 8, 8)).status == "pass"


def test_what_takes_no_size_at_all_is_said_to_take_none() -> None:
    class Grid(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            z = x.reshape(len(x), 33, 7)
            return 2 * z, torch.zeros(len(x))

    (finding,) = ldjcheck.check(Grid()).findings
    assert finding.code == "LDJ006"


@pytest.mark.parametrize(
    "asked",
    [
        {"shape": 99_999_999_999},
        {"shape": (99_999_999_999, 99_999_999_999)},
        {"shape": 2**70},
        {"shape": 4, "batch": 99_999_999_999},
    ],
    ids=str,
)
def test_what_no_computer_has_room_for_is_no_fault_of_ours(asked: Any) -> None:
    report = ldjcheck.check(Affine(), **asked)
    assert report.status == "error"
    assert report.findings[0].code == "LDJ007"
