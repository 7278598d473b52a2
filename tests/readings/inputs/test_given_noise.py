"""A model that is given its noise, and counts how probable that is."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck


def log_normal(value: Tensor) -> Tensor:
    return (-0.5 * value**2 - 0.5 * math.log(2 * math.pi)).sum(1)


class Dequantized(nn.Module):
    """Whole numbers, made continuous by noise that is learned, and given."""

    def __init__(self, *, half: bool = False) -> None:
        super().__init__()
        self.net = nn.Linear(4, 8)
        self.gain = nn.Parameter(torch.tensor([0.5, 0.8, 0.3, 0.6]))
        self.half = half

    def log_prob(self, x: Tensor, eps: Tensor) -> Tensor:
        mean, log_s = torch.tanh(self.net(x / 127.5 - 1)).chunk(2, 1)
        a = mean + eps * log_s.exp()
        slope = F.logsigmoid(a) + (0 if self.half else F.logsigmoid(-a))
        log_q = log_normal(eps) - (log_s + slope).sum(1)
        z = ((x + torch.sigmoid(a)) / 256 - 0.5) * self.gain.exp()
        return log_normal(z) + self.gain.sum() - 4 * math.log(256.0) - log_q


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_it_is_drawn_and_no_context(seed: int) -> None:
    assert ldjcheck.check(Dequantized(), seed=seed).status == "pass"
    wrong = ldjcheck.check(Dequantized(half=True), seed=seed)
    assert wrong.status == "fail"
    assert wrong.findings[0].code == "LDJ110"


class Bound(nn.Module):
    """An ELBO of x, by noise that it is given."""

    def __init__(self, *, sign: float = -1.0) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(5, 4), nn.Linear(2, 5)
        self.log_scale = nn.Parameter(0.4 * torch.randn(2))
        self.sign = sign

    def elbo(self, x: Tensor, eps: Tensor) -> Tensor:
        mean, log_s = self.encoder(x).chunk(2, 1)
        z = (mean + eps * log_s.exp()) * self.log_scale.exp()
        log_q = log_normal(eps) - log_s.sum(1) + self.sign * self.log_scale.sum()
        return log_normal(x - self.decoder(z)) + log_normal(z) - log_q


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_bound_is_of_x_and_of_the_noise_that_it_is_given(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(Bound(), seed=seed)
    assert report.status == "pass", report
    wrong = ldjcheck.check(Bound(sign=1.0), seed=seed)
    assert [f.code for f in wrong.findings if f.severity == "error"] == ["LDJ104"]
