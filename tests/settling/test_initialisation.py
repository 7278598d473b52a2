"""Layers that want data before their first call, by a method of their own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class ActNorm(nn.Module):
    """Takes scale and shift from data; `times` is how often its ldj is counted."""

    times = 1.0

    def initialize(self, x: Tensor) -> None:
        self.log_scale = nn.Parameter(-x.std(0).log())
        self.bias = nn.Parameter(-x.mean(0))

    def forward(self, x: Tensor) -> Any:
        y = (x + self.bias) * self.log_scale.exp()
        return y, self.times * self.log_scale.sum().expand(len(x))

    def inverse(self, y: Tensor) -> Any:
        ldj = -self.times * self.log_scale.sum().expand(len(y))
        return y * (-self.log_scale).exp() - self.bias, ldj


class Standardized(nn.Module):
    """Says that it was given no data yet."""

    def __init__(self) -> None:
        super().__init__()
        self.mean: Tensor | None = None

    def adapt_to(self, data: Tensor) -> Standardized:
        self.mean, self.deviation = data.mean(0), data.std(0)
        return self

    def forward(self, x: Tensor) -> Any:
        if self.mean is None:
            raise RuntimeError("call adapt_to with a batch of data first")
        return (x - self.mean) / self.deviation, -self.deviation.log().sum()


@pytest.mark.parametrize("layer", [ActNorm(), Standardized()])
def test_a_layer_that_wants_data_first_is_given_some(layer: nn.Module) -> None:
    report = ldjcheck.check(layer)
    assert report.status == "pass"
    assert "(x) on 64 samples of (4,) came first" in str(report)
    assert not list(layer.parameters())  # the user's own was left alone
    assert getattr(layer, "mean", None) is None


def test_a_mistake_shows_once_it_has_data() -> None:
    layer = ActNorm()
    layer.times = -1.0
    assert ldjcheck.check(layer).findings[0].name == "sign-flipped"


def test_what_raises_after_data_as_before_raises() -> None:
    class Slip(ActNorm):
        def forward(self, x: Tensor) -> Any:
            return x * self.logscale.exp(), self.log_scale.sum()

    report = ldjcheck.check(Slip())
    assert report.status == "error"
    assert "logscale" in report.findings[0].message


def test_a_training_is_no_start() -> None:
    class Trained(ActNorm):
        initialize = None  # type: ignore[assignment]  # its data come by training

        def fit(self, x: Tensor) -> None:
            self.log_scale = nn.Parameter(torch.zeros(4))
            self.log_scale.sum().backward()
            raise AssertionError("it trained")

    assert ldjcheck.check(Trained()).status == "error"
