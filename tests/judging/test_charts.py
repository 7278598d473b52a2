"""Maps onto a manifold are compared in a chart of it: its entries that follow are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import CorrCholeskyTransform, StickBreakingTransform

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_layers import Pair


class LogRatios(nn.Module):
    """The softmax of x and a zero: det J in the first entries is the product of all."""

    def forward(self, x: Tensor) -> Pair:
        y = torch.softmax(nn.functional.pad(x, (0, 1)), dim=-1)
        return y, self.ldj(y)

    def ldj(self, y: Tensor) -> Tensor:
        return y.log().sum(-1)

    def inverse(self, y: Tensor) -> Pair:
        return y[..., :-1].log() - y[..., -1:].log(), -self.ldj(y)


class LogRatiosHalved(LogRatios):
    def ldj(self, y: Tensor) -> Tensor:
        return super().ldj(y) / 2


class Adding(LogRatios):
    def forward(  # type: ignore[override]  # the total is passed in as well
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> Pair:
        y, own = super().inverse(z) if reverse else super().forward(z)
        return y, ldj + own

    inverse = None  # type: ignore[assignment]  # the flag is the way back


class AddingTurned(Adding):
    def ldj(self, y: Tensor) -> Tensor:
        return -super().ldj(y)


class StickTurned(StickBreakingTransform):  # type: ignore[misc]  # torch says nothing of it
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -super().log_abs_det_jacobian(x, y)


class FactorHalved(CorrCholeskyTransform):  # type: ignore[misc]  # torch says nothing of it
    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return super().log_abs_det_jacobian(x, y) / 2


class InVolume(LogRatios):
    """The volume factor of the simplex as a surface is another number, and right too."""

    def ldj(self, y: Tensor) -> Tensor:
        return y.log().sum(-1) + torch.tensor(float(y.shape[-1])).log() / 2

    inverse = None  # type: ignore[assignment]  # none is wanted


@pytest.mark.thinned(4)
@pytest.mark.parametrize(
    "layer", [LogRatios, Adding, StickBreakingTransform, CorrCholeskyTransform]
)
def test_the_chart_is_said_and_the_right_ldj_passes(
    layer: Callable[[], object],
) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
    assert "chart" in report.to_dict()["results"][0]["inferred"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer", "code"),
    [
        (LogRatiosHalved, "LDJ114"),
        (AddingTurned, "LDJ104"),
        (StickTurned, "LDJ104"),
        (FactorHalved, "LDJ114"),
    ],
)
def test_a_wrong_one_is_named(layer: Callable[[], object], code: str) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "fail", report
    assert report.findings[0].code == code


def test_the_volume_factor_stays_right_as_well() -> None:
    assert ldjcheck.check(InVolume()).status == "pass"


class IntoMore(nn.Module):
    """Onto no manifold that is known: the ldj of some rows of W is no volume factor."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(5, 3))

    def forward(self, x: Tensor) -> Pair:
        ldj = torch.linalg.slogdet(self.weight[:3])[1]
        return x @ self.weight.mT, ldj.expand(len(x))


def test_what_is_no_manifold_has_no_chart() -> None:
    report = ldjcheck.check(IntoMore())
    assert report.status == "unproven"
    assert "chart" not in report.to_dict()["results"][0]["inferred"]


class Triangular(nn.Module):
    """Entries of a triangle, its diagonal made positive, in a square of zeros."""

    factor = 1.0

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.width = width
        self.shift = nn.Parameter(torch.linspace(-0.4, 0.6, width * (width + 1) // 2))

    def triangle(self, x: Tensor) -> Pair:
        m = x.new_zeros(len(x), self.width, self.width)
        rows, columns = torch.tril_indices(self.width, self.width)
        m[:, rows, columns] = x + self.shift
        logs = m.diagonal(dim1=-2, dim2=-1)
        return m.tril(-1) + torch.diag_embed(logs.exp()), logs

    def forward(self, x: Tensor) -> Pair:
        y, logs = self.triangle(x)
        return y, self.factor * logs.sum(-1)


class Symmetric(Triangular):
    """L L^T in the entries of its triangle: 2^n and, of each column, L_ii^(n - i + 1)."""

    def forward(self, x: Tensor) -> Pair:
        y, logs = self.triangle(x)
        powers = 1.0 + torch.arange(self.width, 0, -1).to(x)
        ldj = self.width * torch.tensor(2.0).to(x).log() + (powers * logs).sum(-1)
        return y @ y.mT, self.factor * ldj


class Antisymmetric(Triangular):
    def forward(self, x: Tensor) -> Pair:
        y, logs = self.triangle(x)
        y = nn.functional.pad(y, (0, 1, 1, 0))
        return y - y.mT, self.factor * logs.sum(-1)


@pytest.mark.thinned(6)
@pytest.mark.parametrize("width", [2, 3])
@pytest.mark.parametrize("kind", [Triangular, Symmetric, Antisymmetric])
def test_of_a_matrix_what_is_constant_or_repeats_an_entry_is_left_out(
    kind: type[Triangular], width: int
) -> None:
    assert ldjcheck.check(kind(width)).result.status == "pass"
    twin = type("Twin", (kind,), {"factor": 0.7})
    assert ldjcheck.check(twin(width)).result.status == "fail"
