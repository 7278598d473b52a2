"""A matrix that starts orthogonal is so no longer once it is learned, unless it is kept so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Rotation(nn.Module):
    """y = W x and back by the transpose; the ldj is taken to be 0."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.linalg.qr(torch.randn(4, 4))[0])

    def ldj(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x))

    def forward(self, x: Tensor) -> Pair:
        return x @ self.weight.T, self.ldj(x)

    def inverse(self, y: Tensor) -> Pair:
        return y @ self.weight, -self.ldj(y)


class OfAnyMatrix(Rotation):
    """The ldj is that of any matrix, so that the weight is meant to be one."""

    def ldj(self, x: Tensor) -> Tensor:
        return torch.linalg.slogdet(self.weight)[1].expand(len(x))


class Kept(Rotation):
    """Every step is followed by one back to the nearest rotation."""

    def __init__(self) -> None:
        super().__init__()
        self.register_full_backward_hook(self.project)

    @staticmethod
    def project(layer: nn.Module, *_: object) -> None:
        u, _, v = torch.linalg.svd(layer.weight.data)
        layer.weight.data = u @ v


class NotLearned(Rotation):
    def __init__(self) -> None:
        super().__init__()
        self.weight.requires_grad_(False)


class Parametrized(Rotation):
    """Orthogonal whatever is learned."""

    def __init__(self) -> None:
        super().__init__()
        nn.utils.parametrizations.orthogonal(self, "weight")


def test_a_rotation_that_is_learned_freely_is_unproven() -> None:
    report = ldjcheck.check(Rotation(), shape=(4,))
    assert report.status == "unproven"
    assert "only while they stay so" in report.result.inferred["orthogonal"]


@pytest.mark.slow
def test_a_rotation_that_is_kept_one_passes() -> None:
    for layer in (Kept, NotLearned, Parametrized):
        assert ldjcheck.check(layer(), shape=(4,)).status == "pass", layer


def test_a_transpose_is_no_inverse_of_what_is_meant_to_be_any_matrix() -> None:
    """Its ldj is right for a way back that undoes the map, so only the map is named."""
    report = ldjcheck.check(OfAnyMatrix(), shape=(4,))
    (finding,) = report.findings
    assert finding.code == "LDJ301"
    said = "the ldj that it reports is right for a way back that does"
    assert said in finding.evidence
    assert "as they are built" in report.result.inferred["round trip"]
