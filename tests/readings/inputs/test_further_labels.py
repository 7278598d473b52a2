"""Labels that were made up are 0 and 1, where a mistake or an edit may fit by chance."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

BY_LENGTH = """
import torch
from torch import nn


class ByLength(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_s = nn.Parameter(0.1 * torch.randn(4))

    def forward(self, x, lens):
        n = lens.to(x.dtype)[:, None] + 1.0
        ldj = self.log_s.sum() + x.shape[1] * {ldj}
        return x * self.log_s.exp() * n, ldj
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_what_fits_the_labels_0_and_1_alone_is_no_name(
    seed: int, tmp_path: Path
) -> None:
    file = tmp_path / "by_length.py"
    file.write_text(BY_LENGTH.format(ldj="lens.to(x.dtype)"))
    report = ldjcheck.check(f"{file}:ByLength", seed=seed)
    (finding,) = report.findings
    assert finding.code == "LDJ120"  # no logarithm of base 2, though it fits 0 and 1
    assert "log" in str(finding.fix)
    assert "beyond 0 and 1" in report.result.inferred["lens"]


class OneOfTwo(nn.Module):
    """Scales by one of two, as a label says that is 0 or 1 and no more."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = (nn.Parameter(0.3 * torch.randn(4)) for _ in range(2))

    def forward(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        y = label.to(x.dtype)[:, None]
        scale = y * self.a.exp() + (1 - y) * self.b.exp()
        return x * scale, (y * self.a + (1 - y) * self.b).sum(1)


class OneOfTwoMean(OneOfTwo):
    def forward(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        y, ldj = super().forward(x, label)
        return y, ldj / 4


def test_labels_may_be_no_others_where_it_is_right() -> None:
    assert ldjcheck.check(OneOfTwo(), shape=(4,)).status == "pass"


@pytest.mark.slow
def test_a_mistake_is_told_where_labels_may_be_no_others() -> None:
    assert ldjcheck.check(OneOfTwoMean(), shape=(4,)).status == "fail"
