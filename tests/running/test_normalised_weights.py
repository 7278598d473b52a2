"""A weight that spectral normalisation tames is as tame after it was moved."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

import ldjcheck
from ldjcheck.running.held_state import keep_up

Pair = tuple[Tensor, Tensor]
BY_A_HOOK = torch.nn.utils.spectral_norm
BY_PARAMETRIZATION = torch.nn.utils.parametrizations.spectral_norm


class Residual(nn.Module):
    """y = x + 0.7 g(x), g a contraction, undone by iterating x = y - 0.7 g(x)."""

    def __init__(self, normed: object, sign: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.g = nn.Sequential(
            normed(nn.Linear(3, 16)),  # type: ignore[operator]  # either function
            nn.Tanh(),
            normed(nn.Linear(16, 3)),  # type: ignore[operator]  # either function
        )
        self.sign = sign

    def shift(self, x: Tensor) -> Tensor:
        return 0.7 * self.g(x)

    def forward(self, x: Tensor) -> Pair:
        y = x + self.shift(x)
        first, _, last = self.g
        slope = 1 - torch.tanh(first(x)) ** 2
        jacobian = 0.7 * torch.einsum("ik,bk,kj->bij", last.weight, slope, first.weight)
        return y, torch.linalg.slogdet(torch.eye(3) + jacobian)[1]

    def inverse(self, y: Tensor) -> Tensor:
        x = y
        for _ in range(120):
            x = y - self.sign * self.shift(x)
        return x


@pytest.mark.slow
@pytest.mark.parametrize("normed", [BY_A_HOOK, BY_PARAMETRIZATION])
def test_a_contraction_is_undone_by_iterating_it_wherever_its_weights_are(
    normed: object,
) -> None:
    report = ldjcheck.check(Residual(normed))
    assert report.status == "pass"
    assert {f.code for f in report.findings} == {"LDJ303"}


@pytest.mark.slow
def test_iterating_with_the_wrong_sign_undoes_nothing() -> None:
    report = ldjcheck.check(Residual(BY_PARAMETRIZATION, sign=-1.0))
    assert "LDJ301" in {f.code for f in report.findings}


class Refusing(nn.Module):
    """Divides by an estimate that it keeps, and raises in training."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("estimate", torch.tensor(2.0))

    def forward(self, weight: Tensor) -> Tensor:
        if self.training:
            raise RuntimeError("the estimate is of another size")
        return weight / self.estimate


def test_a_weight_that_cannot_be_asked_in_training_is_left_as_it_was() -> None:
    linear = nn.Linear(2, 2)
    parametrize.register_parametrization(linear.eval(), "weight", Refusing().eval())
    linear.eval()
    keep_up(linear)
    assert not any(part.training for part in linear.modules())
