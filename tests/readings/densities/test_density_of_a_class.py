"""The density of a flow that is given a class label: the label is found for the call."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


def log_normal(z: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    off = (z - mean) * torch.exp(-log_scale)
    return (-0.5 * off**2 - log_scale - 0.5 * math.log(2 * math.pi)).sum(dim=1)


class ClassPrior(nn.Module):
    def __init__(self, dims: int) -> None:
        super().__init__()
        self.mean = nn.Embedding(3, dims)
        self.log_scale = nn.Embedding(3, dims)

    def log_prob(self, z: Tensor, label: Tensor) -> Tensor:
        return log_normal(z, self.mean(label), self.log_scale(label))


class Levels(nn.Module):
    """Half of the dims leave early; each level has a prior of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Embedding(3, 4)
        self.priors = nn.ModuleList([ClassPrior(2), ClassPrior(2)])

    def forward(self, x: Tensor, label: Tensor) -> tuple[list[Tensor], Tensor]:
        log_scale = self.log_scale(label)
        first, rest = (x * log_scale.exp()).chunk(2, dim=1)
        ldj = log_scale.sum(dim=1) + torch.log1p(rest**2).sum(dim=1)
        return [first, rest + rest**3 / 3], ldj

    def log_prob(self, x: Tensor, label: Tensor) -> Tensor:
        zs, ldj = self(x, label)
        log_p = torch.zeros_like(ldj)
        for z, prior in zip(zs, self.priors, strict=True):
            log_p = log_p + prior.log_prob(z, label)
        return log_p + ldj


class Turned(Levels):
    def log_prob(self, x: Tensor, label: Tensor) -> Tensor:
        zs, ldj = self(x, label)
        asked = zip(zs, self.priors, strict=True)
        return sum(prior.log_prob(z, label) for z, prior in asked) - ldj


class KeepsTheLast(Levels):
    def log_prob(self, x: Tensor, label: Tensor) -> Tensor:
        zs, ldj = self(x, label)
        for z, prior in zip(zs, self.priors, strict=True):
            log_p = prior.log_prob(z, label)
        return log_p + ldj


def checked(model: nn.Module) -> ldjcheck.Report:
    return ldjcheck.check(model, shape={"x": (4,)}, pictures=False)


def test_a_density_is_asked_for_classes_too() -> None:
    report = checked(Levels())
    assert report.status == "pass", report
    assert "not checked" not in str(report).splitlines()[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "code", "text"),
    [
        (KeepsTheLast, "LDJ501", "log_p = prior.log_prob(z, label)"),
        (Turned, "LDJ104", "for z, prior in asked) - ldj"),
    ],
)
def test_one_that_is_wrong_is_blamed_beside_its_call(
    model: type[Levels], code: str, text: str
) -> None:
    report = checked(model())
    (finding,) = (f for f in report.findings if f.severity == "error")
    assert (report.status, finding.code) == ("fail", code), report
    assert finding.location is not None
    assert text in str(finding.location.text)
