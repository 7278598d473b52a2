"""A density is told by one that is right, where its own numbers hide what its base is."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Split(nn.Module):
    """Its call returns log p(x) and both parts of z; one has a prior given the other."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(0.3 * torch.randn(4))
        self.mix = nn.Linear(2, 4)
        self.prior = nn.Linear(2, 4)
        self.last = nn.Parameter(0.3 * torch.randn(2))
        self.top = nn.Parameter(0.3 * torch.randn(2, 2))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        one, two = (x * self.scale.exp()).chunk(2, 1)
        log_s, t = self.mix(one).chunk(2, 1)
        two = two * torch.exp(torch.tanh(log_s)) + t
        logdet = self.scale.sum() + torch.tanh(log_s).sum(1)
        mean, logs = self.prior(one).chunk(2, 1)
        log_p = self.normal(two, mean, logs)
        one = one * self.last.exp() + 1
        logdet = logdet + self.last.sum()
        log_p = log_p + self.normal(one, self.top[0], self.top[1])
        return log_p + logdet, [two, one]

    def normal(self, z: Tensor, mean: Tensor, logs: Tensor) -> Tensor:
        each = math.log(2 * math.pi) + 2 * logs + (z - mean) ** 2 * torch.exp(-2 * logs)
        return -0.5 * each.sum(1)


class InBits(Split):
    def bits_per_dim(self, x: Tensor) -> Tensor:
        return -self(x)[0] / (math.log(2) * x[0].numel())


class MeanInBits(Split):
    def bits_per_dim(self, x: Tensor) -> Tensor:
        return -self(x)[0].mean() / (math.log(2) * x[0].numel())


class OfWholeNumbers(Split):
    """x is whole numbers of 256 levels, divided by as many."""

    def bits_per_dim(self, x: Tensor) -> Tensor:
        return -self(x)[0] / (math.log(2) * x[0].numel()) + 8


class WithoutLog2(Split):
    def bits_per_dim(self, x: Tensor) -> Tensor:
        return -self(x)[0] / x[0].numel()


class MeanWithoutLog2(Split):
    def bits_per_dim(self, x: Tensor) -> Tensor:
        return -self(x)[0].mean() / x[0].numel()


class Turned(Split):
    def nll(self, x: Tensor) -> Tensor:
        return self(x)[0]


SLOW = pytest.mark.slow
SEEDS = 0, *(pytest.param(seed, marks=SLOW) for seed in (3, 7))
RIGHT = InBits, *(pytest.param(k, marks=SLOW) for k in (MeanInBits, OfWholeNumbers))
WRONG = (
    (WithoutLog2, "LDJ107"),
    pytest.param(MeanWithoutLog2, "LDJ107", marks=SLOW),
    pytest.param(Turned, "LDJ104", marks=SLOW),
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("layer", RIGHT)
def test_a_density_that_is_right_in_its_unit_passes(
    layer: type[Split], seed: int
) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(layer(), shape=(4,), seed=seed, pictures=False)
    assert report.status == "pass", report
    assert not report.result.unasked


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("layer", "code"), WRONG)
def test_one_in_another_unit_is_told_by_the_one_that_is_right(
    layer: type[Split], code: str, seed: int
) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(layer(), shape=(4,), seed=seed, pictures=False)
    first = report.findings[0]
    assert (report.status, first.code) == ("fail", code), report
    assert first.location is not None
    assert first.location.function in ("bits_per_dim", "nll")
