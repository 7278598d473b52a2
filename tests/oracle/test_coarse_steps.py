"""Flows of coarse steps, by Euler, and traces that are estimated by Hutchinson."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Field(nn.Module):
    """dx/dt = tanh(x w) v, with its divergence by autograd."""

    def __init__(self, dims: int = 2) -> None:
        super().__init__()
        self.w = nn.Parameter(0.6 * torch.randn(dims, dims))
        self.v = nn.Parameter(0.6 * torch.randn(dims, dims))

    def forward(self, x: Tensor) -> Pair:
        hidden = torch.tanh(x @ self.w)
        slopes = (1 - hidden**2)[:, None, :] * self.w
        jacobian = slopes @ self.v  # (batch, dims in, dims out)
        return hidden @ self.v, jacobian.diagonal(dim1=1, dim2=2).sum(1)


class Euler(nn.Module):
    def __init__(self, steps: int = 5) -> None:
        super().__init__()
        self.field = Field()
        self.steps = steps

    def slope(self, x: Tensor) -> Pair:
        dx, trace = self.field(x)
        return dx, trace

    def run(self, x: Tensor, h: float) -> Pair:
        ldj = torch.zeros(len(x))
        for _ in range(self.steps):
            dx, trace = self.slope(x)
            x = x + h * dx
            ldj = ldj + h * trace
        return x, ldj

    def forward(self, x: Tensor) -> Pair:
        return self.run(x, 1.0 / self.steps)

    def inverse(self, y: Tensor) -> Pair:
        return self.run(y, -1.0 / self.steps)


class MinusTheTrace(Euler):
    def slope(self, x: Tensor) -> Pair:
        dx, trace = self.field(x)
        return dx, -trace


class WithoutTheStep(Euler):
    def run(self, x: Tensor, h: float) -> Pair:
        ldj = torch.zeros(len(x))
        for _ in range(self.steps):
            dx, trace = self.slope(x)
            x = x + h * dx
            ldj = ldj + trace
        return x, ldj


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_euler_steps_are_right_in_the_limit(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(Euler(), seed=seed, pictures=False)
    assert report.status == "pass", report


@pytest.mark.slow
def test_a_sign_is_told_of_coarse_steps_by_their_traces() -> None:
    """The way back is none of it: it comes to x as steps get finer."""
    torch.manual_seed(0)
    report = ldjcheck.check(MinusTheTrace(), pictures=False)
    grave = [f for f in report.findings if f.severity == "error"]
    assert {f.code for f in grave} == {"LDJ104"}
    at, fix = grave[0].location, grave[0].fix
    assert at is not None
    assert at.function == "slope"
    assert fix is not None
    assert (fix.applicability, fix.edits[0].after.strip()) == (
        "verified",
        "return dx, trace",
    )


@pytest.mark.slow
def test_a_step_size_that_is_left_out_is_missing_beside_the_map() -> None:
    torch.manual_seed(0)
    finding = ldjcheck.check(WithoutTheStep(), pictures=False).findings[0]
    assert finding.code == "LDJ114"
    assert finding.location is not None
    assert finding.location.text == "ldj = ldj + trace"


class Hutchinson(nn.Module):
    """y = x + x w, with small w: the traces of its series by noise."""

    draw: Callable[[Tensor], Tensor] = staticmethod(torch.randn_like)
    share = 1.0

    def __init__(self, dims: int = 4) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(dims, dims))

    def forward(self, x: Tensor) -> Pair:
        v, ldj = type(self).draw(x), torch.zeros(len(x))
        w, weight = v, 0.12 * torch.tanh(self.a)
        for k in range(1, 25):
            w = w @ weight
            ldj = ldj - (-1) ** k / k * (w * v).sum(1)
        return x + x @ weight, self.share * ldj


class OfAnotherVariance(Hutchinson):
    draw = staticmethod(torch.rand_like)


class Halved(Hutchinson):
    share = 0.5


def test_the_mean_of_what_is_quadratic_in_its_noise_is_worked_out() -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(Hutchinson(), shape=(4,), pictures=False)
    assert report.status == "pass", report
    assert "worked out by" in report.result.inferred["estimator"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "code"), [(OfAnotherVariance, None), (Halved, "LDJ114")]
)
def test_what_is_wrong_on_average_fails(
    kind: type[nn.Module], code: str | None
) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(kind(), shape=(4,), pictures=False)
    assert report.status == "fail"
    assert code in (None, report.findings[0].code)
