"""Further inputs are no contexts: what comes back of them depends on the first."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Leapfrog(nn.Module):
    """Moves momentum, then position."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 3)
        self.log_scale = nn.Parameter(torch.tensor([0.2, -0.3, 0.1]))

    def moved(self, q: Tensor, p: Tensor) -> tuple[Tensor, Tensor]:
        p = p * self.log_scale.exp() - self.net(q)
        return q + p, p

    def forward(self, q: Tensor, p: Tensor) -> tuple[Tensor, ...]:
        return *self.moved(q, p), self.log_scale.sum().expand(len(q))


class AveragedLeapfrog(Leapfrog):
    """Averages what it should sum."""

    def forward(self, q: Tensor, p: Tensor) -> tuple[Tensor, ...]:
        return *self.moved(q, p), self.log_scale.mean().expand(len(q))


class OfThree(Leapfrog):
    """Three tensors, handed back in a tuple."""

    def forward(
        self, x1: Tensor, x2: Tensor, x3: Tensor
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        x1, x2 = self.moved(x1, x2)
        x3 = x3 + torch.tanh(x2)
        return (x1, x2, x3), self.log_scale.sum().expand(len(x1))


class WithFeatures(nn.Module):
    """Scales by features, and hands these on, changed: they are a context."""

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self.net = nn.Linear(3, 3)
        self.share = share

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        log_scale = torch.tanh(self.net(h))
        return x * log_scale.exp(), self.net(h).relu(), self.share * log_scale.sum(1)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("shape", [None, (3,)])
@pytest.mark.parametrize("layer", [Leapfrog, OfThree, WithFeatures])
def test_right_ones_pass(layer: type[nn.Module], shape: tuple[int] | None) -> None:
    """Whether or not it was said how large the first is: the others were made up."""
    report = ldjcheck.check(layer(), shape=shape)
    assert report.status == "pass", report
    assert ("inputs" in report.result.inferred) == (layer is not WithFeatures)


def test_a_wrong_one_is_named_as_a_map_of_all() -> None:
    report = ldjcheck.check(AveragedLeapfrog())
    assert report.findings[0].code == "LDJ105", report


def test_a_wrong_one_with_a_context_stays_one_with_a_context() -> None:
    report = ldjcheck.check(WithFeatures(share=-1.0))
    assert report.findings[0].code == "LDJ104", report
    assert "inputs" not in report.result.inferred
