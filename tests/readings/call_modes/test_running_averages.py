"""Layers that keep averages of their training data are checked as if trained."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Whitening(nn.Module):
    """y = exp(g) (x - m) / sqrt(v) + b, with running mean m and variance v."""

    def __init__(self, power: float = 0.5) -> None:
        super().__init__()
        self.gain, self.shift = (
            nn.Parameter(torch.zeros(5)),
            nn.Parameter(torch.zeros(5)),
        )
        self.register_buffer("mean", torch.zeros(5))
        self.register_buffer("variance", torch.ones(5))
        self.power = power

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.training:
            m, v = x.mean(0), x.var(0, unbiased=False) + 1e-5
            self.mean.mul_(0.9).add_(0.1 * m.data)
            self.variance.mul_(0.9).add_(0.1 * v.data)
        else:
            m, v = self.mean, self.variance
        y = self.gain.exp() * (x - m) / v.sqrt() + self.shift
        return y, (self.gain - self.power * v.log()).sum().expand(len(x))


class TrainedFirst(nn.Module):
    """A scale that takes its size from the first batch of training, and from no other."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("spread", torch.ones(5))
        self.known, self.factor = False, factor

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.training and not self.known:
            self.spread, self.known = x.std(0).detach(), True
        ldj = -self.factor * self.spread.log().sum()
        return x / self.spread, ldj.expand(len(x))


@pytest.mark.parametrize("layer", [Whitening(), TrainedFirst()])
def test_a_right_layer_passes_once_its_averages_have_moved(layer: nn.Module) -> None:
    assert ldjcheck.check(layer, shape=(5,)).status == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("layer", [Whitening(power=1.0), TrainedFirst(factor=2.0)])
def test_a_wrong_power_of_the_average_does_not_hide_behind_its_initial_one(
    layer: nn.Module,
) -> None:
    assert ldjcheck.check(layer, shape=(5,)).status == "fail"


def test_as_is_leaves_the_averages_where_they_are() -> None:
    report = ldjcheck.check(Whitening(power=1.0), shape=(5,), params="as-is")
    assert report.status == "unproven"


def test_the_layer_itself_is_not_trained_by_the_check() -> None:
    layer = Whitening()
    ldjcheck.check(layer, shape=(5,))
    assert torch.equal(layer.variance, torch.ones(5))
    assert layer.training
