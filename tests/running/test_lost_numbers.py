"""Numbers that float32 loses, and numbers that nobody has given a layer."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Quotient(nn.Module):
    """exp(50 x) / exp(50 x) is 1 in float64, and NaN in float32 from x = 1.8 on."""

    def forward(self, x: Tensor) -> Pair:
        one = torch.exp(50 * x) / torch.exp(50 * x)
        return torch.sinh(x), torch.log(one * torch.cosh(x)).sum(1)


def test_what_float32_alone_loses_is_not_finite() -> None:
    (finding,) = ldjcheck.check(Quotient(), shape=(4,)).findings
    assert finding.code == "LDJ213"
    assert finding.evidence[0].startswith("run as written, in float32")


class Empty(nn.Module):
    """Couples by weights that hold what was in memory."""

    def __init__(self, left: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((2, 4), left))

    def forward(self, x: Tensor) -> Pair:
        a, b = x.chunk(2, dim=1)
        log_s, t = (a @ self.weight).chunk(2, dim=1)
        return torch.cat([a, b * log_s.exp() + t], dim=1), log_s.sum(1)


@pytest.mark.parametrize(
    ("left", "said"), [(float("nan"), "NaN"), (3e37, "numbers up to 3e+37")]
)
def test_what_memory_has_left_in_a_parameter_is_told(left: float, said: str) -> None:
    (finding,) = ldjcheck.check(Empty(left), shape=(4,)).findings
    assert (
        finding.message
        == f"`weight` holds {said} as built, and the output is not finite."
    )
    assert ldjcheck.check(Empty(0.3), shape=(4,)).status == "pass"
