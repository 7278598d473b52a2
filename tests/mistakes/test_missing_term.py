"""Terms that stand nowhere in the ldj, though a value of the map is what is missing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import ldjcheck


class HalfSigmoid(nn.Module):
    """Of log y (1 - y), the slope of a sigmoid, it has the first half."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.sigmoid(x)
        return y, y.log().sum(1)


def test_half_of_a_slope_is_missing_as_it_would_be_written() -> None:
    report = ldjcheck.check(HalfSigmoid(), shape=(3,))
    (found,) = [f for f in report.findings if f.severity == "error"]
    assert found.code == "LDJ110"
    assert "log|1 - torch.sigmoid(x)|" in found.message
    assert found.location is not None
    assert found.location.text is not None
