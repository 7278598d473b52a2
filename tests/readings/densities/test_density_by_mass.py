"""A density whose base is seen nowhere is none where it adds up to more than 1."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Classifier(nn.Module):
    """A flow to a mixture of classes: their densities are averaged, here written by hand."""

    def __init__(self, classes: int = 4, counted: int = 4) -> None:
        super().__init__()
        self.log_s = nn.Parameter(torch.tensor([0.3, -0.2]))
        self.means = nn.Parameter(torch.randn(classes, 2))
        self.counted = counted

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.sinh(x) * self.log_s.exp(), self.ldj(x)

    def ldj(self, x: Tensor) -> Tensor:
        return torch.cosh(x).log().sum(1) + self.log_s.sum()

    def of_classes(self, x: Tensor) -> Tensor:
        z, ldj = self(x)
        squares = ((z[:, None] - self.means) ** 2).sum(-1)
        return ldj[:, None] - squares / 2 - math.log(2 * math.pi)

    def log_prob(self, x: Tensor) -> Tensor:
        return torch.logsumexp(self.of_classes(x), 1) - math.log(self.counted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_what_adds_up_to_more_than_1_is_no_density(seed: int) -> None:
    torch.manual_seed(seed)
    right = ldjcheck.check(Classifier(), seed=seed)
    assert right.status == "pass", right
    report = ldjcheck.check(Classifier(counted=1), seed=seed)
    (finding,) = report.findings
    assert (report.status, finding.code) == ("fail", "LDJ501"), report
    assert finding.location is not None
    assert finding.location.function == "log_prob"


@pytest.mark.slow
def test_what_adds_up_to_less_may_be_that_of_a_class_or_a_cell() -> None:
    """A joint density of x and its class is right as it is."""
    report = ldjcheck.check(Classifier(counted=16))
    assert report.status == "pass", report
    assert "log_prob" in report.result.unasked
