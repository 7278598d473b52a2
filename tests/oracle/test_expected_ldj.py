"""The mean of an ldj that is quadratic in its noise: exact, whatever law it is drawn from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair

LAWS: dict[str, Callable[[Tensor], Tensor]] = {
    "normal": torch.randn_like,
    "uniform": lambda x: (torch.rand_like(x) - 0.5) * 12**0.5,
    "signs": lambda x: torch.randint_like(x, 0, 2) * 2 - 1,
    "coins": lambda x: torch.bernoulli(torch.full_like(x, 0.5)) * 2 - 1,
}


class Exponential(nn.Module):
    """By a matrix exponential, whose log-det is a trace; that is estimated by Hutchinson."""

    def __init__(self, noise: Callable[[Tensor], Tensor], share: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a = nn.Parameter(0.3 * torch.randn(3, 3))
        self.noise, self.share = noise, share

    def forward(self, x: Tensor) -> Pair:
        e = self.noise(x)
        return x @ torch.matrix_exp(self.a).T, self.share * ((e @ self.a) * e).sum(1)


@pytest.mark.parametrize("law", LAWS)
def test_a_trace_by_noise_is_judged_by_what_it_is_on_average(law: str) -> None:
    right = ldjcheck.check(Exponential(LAWS[law]), shape=(3,))
    assert right.status == "pass", right
    assert "worked out by" in right.result.inferred["estimator"]
    wrong = ldjcheck.check(Exponential(LAWS[law], share=0.5), shape=(3,))
    assert wrong.findings[0].code == "LDJ114"


def test_of_what_is_no_polynomial_of_the_noise_the_mean_is_by_chance() -> None:
    report = ldjcheck.check(Exponential(lambda x: torch.randn_like(x).sign()))
    assert report.status == "pass", report
    assert " over " in report.result.inferred["estimator"]
