"""Layers that are right on average, or in the limit of fine steps, are told from wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Estimated(nn.Module):
    """y = x + g(x), the trace of a power series estimated with one random vector."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.a = nn.Parameter(0.6 * torch.eye(3))
        self.b = nn.Parameter(0.2 * torch.randn(3, 3, generator=generator))
        self.factor = factor

    def forward(self, x: Tensor) -> Pair:
        weight = 0.3 * self.a + 0.05 * torch.tanh(self.b)
        v = 2.0 * torch.randint(0, 2, x.shape).to(x) - 1.0
        w, ldj = v, torch.zeros(len(x))
        for k in range(1, 40):
            w = w @ weight
            ldj = ldj - (-1) ** k / k * (w * v).sum(1)
        return x + x @ weight, self.factor * ldj


@pytest.mark.slow
def test_a_right_estimator_passes_and_is_told() -> None:
    report = ldjcheck.check(Estimated(), shape=(3,))
    assert report.status == "pass", report
    assert "judged by its mean" in report.result.inferred["estimator"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("factor", "code"), [(-1.0, "LDJ104"), (2.0, "LDJ114"), (0.5, "LDJ114")]
)
def test_a_wrong_estimator_is_named(factor: float, code: str) -> None:
    report = ldjcheck.check(Estimated(factor), shape=(3,))
    assert report.findings[0].code == code, report


class Scattering(Estimated):
    """Right on average, and buried in noise."""

    def forward(self, x: Tensor) -> Pair:
        y, ldj = super().forward(x)
        return y, ldj + 1000.0 * torch.randn(len(x))


@pytest.mark.slow
def test_an_estimate_that_scatters_too_much_proves_nothing() -> None:
    report = ldjcheck.check(Scattering(), shape=(3,))
    assert [f.code for f in report.findings] == ["LDJ402"]


class Integrated(nn.Module):
    """dx/dt = tanh(x) @ w by Euler steps, with the integral of the trace."""

    def __init__(self, sign: float = 1.0, steps: int = 10) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([[0.5, -0.2], [0.1, 0.7]]))
        self.sign = sign
        self.steps = steps

    def integrated(self, x: Tensor, h: float) -> Pair:
        ldj = torch.zeros(len(x))
        for _ in range(self.steps):
            ldj = ldj + h * ((1 - torch.tanh(x) ** 2) @ torch.diagonal(self.w))
            x = x + h * torch.tanh(x) @ self.w
        return x, self.sign * ldj

    def forward(self, x: Tensor) -> Pair:
        return self.integrated(x, 1.0 / self.steps)

    def inverse(self, y: Tensor) -> Pair:
        return self.integrated(y, -1.0 / self.steps)


@pytest.mark.slow
def test_an_integrator_is_right_in_the_limit_of_fine_steps() -> None:
    report = ldjcheck.check(Integrated(), shape=(2,))
    assert report.status == "pass", report
    assert "as steps takes finer" in report.result.inferred["approximation forward"]
    assert "an approximation: what is off goes to zero as steps takes finer" in str(
        report
    )


@pytest.mark.slow
def test_a_mistake_does_not_vanish_with_finer_steps() -> None:
    report = ldjcheck.check(Integrated(sign=-1.0), shape=(2,))
    assert report.status == "fail"
    assert not any("approximation" in what for what in report.result.inferred)


class OfFourthOrder(nn.Module):
    """The same by three steps of Runge and Kutta; its trace at their ends, or as they do."""

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([[0.9, -1.2], [1.1, 0.7]]))
        self.whole = whole
        self.steps = 3

    def rates(self, x: Tensor) -> Tensor:
        trace = (1 - torch.tanh(x) ** 2) @ torch.diagonal(self.w)
        return torch.cat([torch.tanh(x) @ self.w, trace[:, None]], 1)

    def forward(self, x: Tensor) -> Pair:
        h = 1.0 / self.steps
        ldj = x.new_zeros(len(x))
        for _ in range(self.steps):
            one = self.rates(x)
            two = self.rates(x + h / 2 * one[:, :-1])
            three = self.rates(x + h / 2 * two[:, :-1])
            four = self.rates(x + h * three[:, :-1])
            mean = (one + 2 * two + 2 * three + four) / 6
            x = x + h * mean[:, :-1]
            ldj = ldj + h * (mean[:, -1] if self.whole else four[:, -1])
        return x, ldj


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_ldj_of_a_lower_order_than_its_map_is_no_approximation(seed: int) -> None:
    right = ldjcheck.check(OfFourthOrder(whole=True), seed=seed, shape=(2,))
    assert right.status == "pass", right
    wrong = ldjcheck.check(OfFourthOrder(whole=False), seed=seed, shape=(2,))
    assert wrong.status == "fail", wrong


class Residual(nn.Module):
    """y = x + g(x), and the log of its determinant by so many terms of a series."""

    def __init__(self, terms: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3) + 0.3 * torch.ones(3, 3))
        self.terms = terms

    def forward(self, x: Tensor) -> Pair:
        weight = 0.5 * self.weight / torch.linalg.matrix_norm(self.weight, 2)
        y = x + torch.tanh(x @ weight.T)
        slope = (1 - torch.tanh(x @ weight.T) ** 2)[:, :, None] * weight
        power, ldj = slope, torch.zeros(len(x))
        for k in range(1, self.terms + 1):
            ldj = ldj - (-1) ** k / k * power.diagonal(dim1=1, dim2=2).sum(1)
            power = power @ slope
        return y, ldj


@pytest.mark.thinned(2)
@pytest.mark.parametrize("terms", [12, 40])
def test_a_series_of_many_terms_is_right(terms: int) -> None:
    report = ldjcheck.check(Residual(terms), shape=(3,))
    assert report.status == "pass", report


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_series_that_is_cut_short_is_wrong_for_a_map_that_is_exact(seed: int) -> None:
    layer = Residual(2)
    torch.manual_seed(seed)
    torch.nn.init.normal_(layer.weight, std=0.7)  # of a sample, hardly anything is off
    report = ldjcheck.check(layer, shape=(3,), seed=seed)
    assert [f.code for f in report.findings] == ["LDJ199"], report
    assert not any("approximation" in what for what in report.result.inferred)


class Summed(nn.Module):
    """y is the integral of a positive network up to x, by points that are kept."""

    def __init__(self, interval: tuple[float, float], factor: float = 1.0) -> None:
        super().__init__()
        at, by = (torch.tensor(n) for n in np.polynomial.legendre.leggauss(20))
        low, high = interval
        self.low, self.wide, self.factor = low, high - low, factor
        self.register_buffer("points", (low + (at + 1) / 2 * self.wide).float())
        self.by = by * self.wide / 2
        self.net = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1))

    def slope(self, t: Tensor) -> Tensor:
        return nn.functional.elu(self.net(t[..., None])[..., 0]) + 1.01

    def forward(self, x: Tensor) -> Pair:
        at = x[..., None] * (self.points - self.low) / self.wide
        y = x * (self.slope(at) * self.by).sum(-1) / self.wide
        return y, self.factor * self.slope(x).log().sum(-1)


@pytest.mark.slow
@pytest.mark.parametrize("interval", [(0.0, 1.0), (-1.0, 1.0)])
def test_an_integral_is_right_in_the_limit_of_many_points(
    interval: tuple[float, float],
) -> None:
    report = ldjcheck.check(Summed(interval), shape=(2,))
    assert report.status == "pass", report


class Trapezoids(Summed):
    """The same by equal steps, the ends of which count half."""

    def __init__(self) -> None:
        super().__init__((0.0, 1.0))
        self.register_buffer("points", torch.linspace(0.0, 1.0, 33))
        self.by = torch.full((33,), 1 / 32)
        self.by[[0, -1]] /= 2


@pytest.mark.slow
def test_so_is_one_by_trapezoids() -> None:
    report = ldjcheck.check(Trapezoids(), shape=(2,))
    assert report.status == "pass", report


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.001, -1.0])
def test_a_wrong_factor_does_not_vanish_with_more_points(factor: float) -> None:
    assert ldjcheck.check(Summed((0.0, 1.0), factor), shape=(2,)).status == "fail"
