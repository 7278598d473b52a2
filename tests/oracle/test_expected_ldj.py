"""The mean of an ldj that is quadratic in its noise: exact, whatever law it is drawn from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from small_layers import Pair

SLOW = pytest.mark.slow
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


@pytest.mark.slow
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


class Series(nn.Module):
    """y = x + g(x); the series of its log-det is cut off where numpy or torch draws that."""

    def __init__(self, terms: Callable[[], int], *, weighted: bool = True) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(2, 2))
        self.terms, self.weighted = terms, weighted

    def forward(self, x: Tensor) -> Pair:
        weight = 0.7 * self.a / torch.linalg.matrix_norm(self.a, 2)
        v = torch.randn_like(x)
        w, ldj = v, torch.zeros(len(x))
        for k in range(1, self.terms() + 1):
            w = w @ weight
            share = 0.5 ** (k - 1) if self.weighted else 1.0
            ldj = ldj - (-1) ** k / k / share * (w * v).sum(1)
        return x + x @ weight, ldj


ROULETTES: dict[str, Callable[[], int]] = {
    "numpy": lambda: int(np.random.geometric(0.5)),  # as flows do
    "torch": lambda: 1 + int(torch.distributions.Geometric(0.5).sample()),
}


@pytest.mark.slow
@pytest.mark.parametrize("source", ROULETTES)
@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=SLOW) for s in (1, 2, 3))])
def test_how_many_terms_are_taken_is_drawn_too(source: str, seed: int) -> None:
    torch.manual_seed(seed)
    right = ldjcheck.check(Series(ROULETTES[source]), shape=(2,), seed=seed)
    assert right.status == "pass", right
    assert " over " in right.result.inferred["estimator"]
    wrong = ldjcheck.check(
        Series(ROULETTES[source], weighted=False), shape=(2,), seed=seed
    )
    assert wrong.status == "fail", wrong


class Bent(nn.Module):
    """A residual block whose ldj is another one at each x, its series cut off by chance."""

    def __init__(self, *, weighted: bool = True) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(2, 2))
        self.weighted = weighted

    def forward(self, x: Tensor) -> Pair:
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            g = 0.9 * torch.tanh(x @ (self.a / torch.linalg.matrix_norm(self.a, 2)))
            w = v = torch.randn_like(x)
            ldj = torch.zeros(len(x))
            for k in range(1, 2 + int(torch.distributions.Geometric(0.5).sample())):
                w = torch.autograd.grad(g, x, w, create_graph=True)[0]
                share = 0.5 ** (k - 1) if self.weighted else 1.0
                ldj = ldj - (-1) ** k / k / share * (w * v).sum(1)
        return x + g, ldj


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(s, marks=SLOW) for s in range(2, 9))]
)
def test_a_series_that_is_off_by_another_amount_at_each_x_is_wrong(seed: int) -> None:
    def status(weighted: bool) -> str:
        torch.manual_seed(seed)
        return ldjcheck.check(Bent(weighted=weighted), shape=(2,), seed=seed).status

    assert status(weighted=True) == "pass"
    assert status(weighted=False) == "fail"
