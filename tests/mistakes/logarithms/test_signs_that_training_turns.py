"""LDJ109 of a learned matrix: wrong where it may start negative, else a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

if TYPE_CHECKING:
    from collections.abc import Callable

    from small_layers import Pair


class Mix(nn.Module):
    """y = W x, with a logarithm that knows no negative determinant."""

    def __init__(self, dims: int = 3) -> None:
        super().__init__()
        self.dims = dims
        self.weight = nn.Parameter(self.start(dims))

    def start(self, dims: int) -> Tensor:
        return torch.randn(dims, dims)

    def ldj(self) -> Tensor:
        return torch.logdet(self.weight)

    def forward(self, x: Tensor) -> Pair:
        return x @ self.weight.mT, self.ldj().expand(len(x))


class FromIdentity(Mix):
    def start(self, dims: int) -> Tensor:
        return torch.eye(dims)


class FromRotation(Mix):
    """A random rotation: a row is turned where the determinant is negative."""

    def start(self, dims: int) -> Tensor:
        weight = torch.linalg.qr(torch.randn(dims, dims))[0]
        if torch.det(weight) < 0:
            weight[0] = -weight[0]
        return weight


class Adding(FromRotation):
    def ldj(self) -> Tensor:
        return torch.log(torch.det(self.weight))

    def forward(  # type: ignore[override]
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> Pair:
        h, w = z.shape[2:]
        if reverse:
            weight = self.weight.inverse()
            return torch.einsum("ij,bjhw->bihw", weight, z), ldj - h * w * self.ldj()
        return torch.einsum("ij,bjhw->bihw", self.weight, z), ldj + h * w * self.ldj()


class AddingToStart(Adding):
    def start(self, dims: int) -> Tensor:
        rotation = torch.linalg.qr(torch.randn(dims, dims))[0]
        return rotation * torch.randn(dims, 1).sign()


class ByMethod(Mix):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x @ self.weight.mT

    def log_det(self, x: Tensor) -> Tensor:
        return torch.log(torch.linalg.det(self.weight)).expand(len(x))


class Exponential(Mix):
    """det exp(A) = exp(trace A) is positive, whatever A is."""

    def ldj(self) -> Tensor:
        return torch.logdet(torch.matrix_exp(self.weight))

    def forward(self, x: Tensor) -> Pair:
        return x @ torch.matrix_exp(self.weight).mT, self.ldj().expand(len(x))


class Safe(Mix):
    def ldj(self) -> Tensor:
        return torch.linalg.slogdet(self.weight)[1]


def positive(layer: Callable[[], nn.Module]) -> nn.Module:
    """Return the layer as it is built under a seed at which the determinant is positive."""
    for seed in range(20):
        torch.manual_seed(seed)
        built = layer()
        if torch.det(next(built.parameters())) > 0:
            return built
    raise AssertionError("half of all seeds do")


@pytest.mark.thinned(3)
@pytest.mark.parametrize("layer", [Mix, AddingToStart, ByMethod])
def test_a_start_of_either_sign_is_wrong(layer: Callable[[], nn.Module]) -> None:
    report = ldjcheck.check(positive(layer))
    assert report.status == "fail", report
    assert report.findings[0].code == "LDJ109"
    assert report.findings[0].fix is not None


@pytest.mark.parametrize("layer", [FromIdentity, FromRotation, Adding])
def test_a_start_that_is_positive_passes_with_a_warning(
    layer: Callable[[], nn.Module],
) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass", report
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ109", "warning")]
    assert "slogdet" in " ".join(report.findings[0].evidence)


@pytest.mark.parametrize("layer", [Exponential, Safe])
def test_what_no_training_turns_is_fine(layer: Callable[[], nn.Module]) -> None:
    report = ldjcheck.check(layer())
    assert report.status == "pass"
    assert report.findings == ()


class Given(Mix):
    """Built of a matrix, which nobody but its builder has."""

    def __init__(self, weight: Tensor) -> None:
        nn.Module.__init__(self)
        self.weight = nn.Parameter(weight.clone())


def test_what_cannot_be_built_anew_is_unproven_by_name() -> None:
    report = ldjcheck.check(Given(torch.eye(3)))
    assert report.status == "unproven"
    assert [(f.code, f.severity) for f in report.findings] == [("LDJ109", "unproven")]
