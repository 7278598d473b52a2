"""Densities of a whole model that are in another unit, or whose base is averaged."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Shear(nn.Module):
    """Shifts and scales the last entries by a function of the first."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.kept = dims // 2
        self.net = nn.Linear(self.kept, 2 * (dims - self.kept))

    def forward(self, x: Tensor) -> Pair:
        first, last = x[:, : self.kept], x[:, self.kept :]
        log_s, shift = self.net(first).chunk(2, dim=1)
        log_s = torch.tanh(log_s)
        return torch.cat([first, last * log_s.exp() + shift], dim=1), log_s.sum(1)


class Likelihood(nn.Module):
    """A squashing step by a method, then a flow; its call is right."""

    def __init__(self, dims: int = 7) -> None:
        super().__init__()
        self.dims = dims
        self.log_scale = nn.Parameter(0.2 * torch.randn(dims))
        self.flow = Shear(dims)

    def stretched(self, x: Tensor) -> Pair:
        y = torch.sinh(x) * self.log_scale.exp()
        return y, (torch.cosh(x).log() + self.log_scale).sum(1)

    def log_prob(self, x: Tensor) -> Tensor:
        y, before = self.stretched(x)
        z, ldj = self.flow(y)
        log_p = -0.5 * (z**2 + math.log(2 * math.pi)).sum(1)
        return log_p + ldj + before


class InBits(Likelihood):
    def bits_per_dim(self, x: Tensor) -> Tensor:
        return -self.log_prob(x) / (self.dims * math.log(2))


class InNats(Likelihood):
    def bits_per_dim(self, x: Tensor) -> Tensor:
        return -self.log_prob(x) / self.dims


class OfAllDims(Likelihood):
    def bits_per_dim(self, x: Tensor) -> Tensor:
        return -self.log_prob(x) / math.log(2)


class Averaged(Likelihood):
    def log_prob(self, x: Tensor) -> Tensor:
        y, before = self.stretched(x)
        z, ldj = self.flow(y)
        log_p = -0.5 * (z**2 + math.log(2 * math.pi)).mean(1)
        return log_p + ldj + before


class AveragedButForItsConstant(Likelihood):
    def log_prob(self, x: Tensor) -> Tensor:
        y, before = self.stretched(x)
        z, ldj = self.flow(y)
        log_p = -0.5 * (z**2).mean(1) - 0.5 * self.dims * math.log(2 * math.pi)
        return log_p + ldj + before


@pytest.mark.thinned(2)
@pytest.mark.parametrize("kind", [Likelihood, InBits])
def test_right_ones_pass(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    report = ldjcheck.check(kind(), pictures=False)
    assert report.status == "pass", report


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "code", "edit"),
    [
        (InNats, "LDJ107", "return -self.log_prob(x) / math.log(2) / self.dims"),
        (OfAllDims, "LDJ103", "/ math.prod(x.shape[1:]) / math.log(2)"),
        (Averaged, "LDJ105", "log_p = -0.5 * (z**2 + math.log(2 * math.pi)).sum(1)"),
        (AveragedButForItsConstant, "LDJ105", "log_p = -0.5 * (z**2).sum(1)"),
    ],
)
def test_what_a_whole_density_lacks_is_told_where_it_is_divided(
    kind: type[nn.Module], code: str, edit: str
) -> None:
    torch.manual_seed(0)
    finding = ldjcheck.check(kind(), pictures=False).findings[0]
    assert finding.code == code
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
    assert edit in finding.fix.edits[0].after
