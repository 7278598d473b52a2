"""A flow that drops dims on its way has no square Jacobian: its density is checked instead."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import ldjcheck


def log_normal(z):
    return -0.5 * (z**2 + math.log(2 * math.pi))


class Flow(nn.Module):
    """Half of the dims leave after the first of two scales."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.tensor([0.3, -0.2, 0.1, -0.4]))
        self.second = nn.Parameter(torch.tensor([0.2, -0.3]))

    def forward(self, x):
        x = x * self.first.exp()
        x, out = x.chunk(2, 1)
        ldj = self.first.sum() + self.second.sum()
        return x * self.second.exp(), ldj + self.of(out)

    def of(self, out):
        return log_normal(out).sum(1)

    def log_prob(self, x):
        z, ldj = self.forward(x)
        return log_normal(z).sum(1) + ldj


class Forgetful(Flow):
    def of(self, out):
        return torch.zeros(len(out))


@pytest.mark.slow
def test_its_density_is_right():
    report = ldjcheck.check(Flow())
    assert report.status == "pass", report
    assert report.to_dict()["results"][0]["kind"] == "model"


def test_what_is_dropped_and_not_counted_is_a_mistake():
    report = ldjcheck.check(Forgetful())
    assert report.status == "fail", report
    assert report.findings[0].name == "split-prior-wrong"
