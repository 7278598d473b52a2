"""What a function keeps between calls is state, as what a module keeps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Counts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.ones(4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.scale = self.scale + 0.1
        return x * self.scale, self.scale.log().sum().expand(len(x))


def counts() -> Any:
    scale = torch.ones(4)

    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        nonlocal scale
        scale = scale + 0.1
        return x * scale, scale.log().sum().expand(len(x))

    return forward


@pytest.mark.thinned(2)
@pytest.mark.parametrize("made", [Counts, counts])
def test_what_each_call_changes_is_said_of_modules_and_functions(made: Any) -> None:
    report = ldjcheck.check(made(), shape=(4,))
    assert [f.code for f in report.findings][:1] == ["LDJ209"]
    assert "scale" in str(report)
