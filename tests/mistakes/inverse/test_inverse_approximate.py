"""LDJ306: a way back that solves passes where both ldj are right, with its residual."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_layers import Pair


def halved(f: Callable[[Tensor], Tensor], y: Tensor, steps: int) -> Tensor:
    """Return x with f(x) = y, f being monotone, by halving [-30, 30] so often."""
    low, high = torch.full_like(y, -30.0), torch.full_like(y, 30.0)
    for _ in range(steps):
        middle = (low + high) / 2
        below = f(middle) < y
        low = torch.where(below, middle, low)
        high = torch.where(below, high, middle)
    return (low + high) / 2


class Bulge(nn.Module):
    """y = x + a * tanh(x), a in (0, 1), undone by halving an interval."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.linspace(-1.0, 1.0, dims))

    def bulge(self, x: Tensor) -> Tensor:
        return x + torch.sigmoid(self.a) * torch.tanh(x)

    def log_slope(self, x: Tensor) -> Tensor:
        return torch.log1p(torch.sigmoid(self.a) / x.cosh() ** 2)

    def solved(self, y: Tensor) -> Tensor:
        with torch.no_grad():
            return halved(self.bulge, y, 26)

    def forward(self, x: Tensor) -> Pair:
        return self.bulge(x), self.log_slope(x).sum(-1)

    def inverse(self, y: Tensor) -> Pair:
        x = self.solved(y)
        return x, -self.log_slope(x).sum(-1)


class BulgeAveraged(Bulge):
    def forward(self, x: Tensor) -> Pair:
        return self.bulge(x), self.log_slope(x).mean(-1)


class BulgeTurned(Bulge):
    def inverse(self, y: Tensor) -> Pair:
        x, ldj = super().inverse(y)
        return x, -ldj


class BulgeOffset(Bulge):
    """The ldj of the way back is off by less than a residual may explain, and too much."""

    def inverse(self, y: Tensor) -> Pair:
        with torch.no_grad():
            x = halved(self.bulge, y, 21)  # misses by about 1e-5
        return x, -self.log_slope(x).sum(-1) + 1.5e-4


class Residual(nn.Module):
    """y = x + c * tanh(x W), c |W| < 1, undone by going on to a fixed point."""

    def __init__(self, steps: int = 8) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[0.3, -0.4], [0.2, 0.5]]))
        self.steps = steps

    def branch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is added, and its Jacobian, (batch, 2, 2)."""
        weight = self.weight / (1 + torch.linalg.matrix_norm(self.weight, 2))
        h = torch.tanh(x @ weight.mT)
        return 0.3 * h, 0.3 * (1 - h**2)[..., None] * weight

    def ldj(self, x: Tensor) -> Tensor:
        identity = torch.eye(2, dtype=x.dtype)
        return torch.linalg.slogdet(identity + self.branch(x)[1])[1]

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        if not reverse:
            return z + self.branch(z)[0], ldj + self.ldj(z)
        x = z
        for _ in range(self.steps):
            x = z - self.branch(x)[0]
        return x, ldj - self.ldj(x)


class ResidualDoubled(Residual):
    def ldj(self, x: Tensor) -> Tensor:
        return 2 * super().ldj(x)


class Kepler(Transform):
    """y = x + e * sin(x), undone by steps until the equation holds to 1e-6."""

    domain = codomain = constraints.real
    bijective = True
    e = 0.6

    def _call(self, x: Tensor) -> Tensor:
        return x + self.e * torch.sin(x)

    def _inverse(self, y: Tensor) -> Tensor:
        x = y
        for _ in range(200):
            off = x + self.e * torch.sin(x) - y
            x = x - 0.5 * off
            if off.abs().max() < 1e-6:
                break
        return x

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.log(1 + self.e * torch.cos(x))


class KeplerAtY(Kepler):
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.log(1 + self.e * torch.cos(y))


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", [Bulge, Residual, Kepler])
def test_a_solver_that_lands_nearby_passes_with_a_note(
    layer: Callable[[], object],
) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ306", "note")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "code"),
    [
        (BulgeAveraged, "LDJ105"),
        (BulgeTurned, "LDJ302"),
        (ResidualDoubled, "LDJ114"),
        (KeplerAtY, "LDJ112"),
    ],
)
def test_a_solver_excuses_no_wrong_ldj(layer: Callable[[], object], code: str) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "fail"
    assert report.findings[0].code == code
    assert "LDJ306" not in {f.code for f in report.findings}


@pytest.mark.slow
def test_what_a_residual_could_hide_is_not_passed() -> None:
    report = ldjcheck.check(BulgeOffset())
    assert report.status == "unproven", report
    (finding,) = report.findings
    assert finding.message == (
        "The inverse stops so far from x that a mistake of its ldj could hide."
    )
