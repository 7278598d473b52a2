"""Dequantization of images: noise that the layer detaches, and a way back that rounds."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ldjcheck
from ldjcheck.running.runner import Runner

SHAPE = (3, 16, 16)


class Dequantization(nn.Module):
    """Adds noise that autograd does not follow, and rounds it away to whole numbers."""

    def forward(
        self, z: Tensor, ldj: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        dims = z[0].numel()
        if not reverse:
            z = (z.float() + torch.rand_like(z, dtype=torch.float32).detach()) / 256
            z = 0.99998 * z + 1e-5
            slope = -torch.log(z) - torch.log(1 - z) + math.log(0.99998)
            ldj = ldj - self.counted(dims) * math.log(256) + slope.sum((1, 2, 3))
            return torch.log(z) - torch.log(1 - z), ldj
        slope = -z - 2 * F.softplus(-z) - math.log(0.99998)
        ldj = ldj + slope.sum((1, 2, 3)) + self.counted(dims) * math.log(256)
        z = (torch.sigmoid(z) - 1e-5) / 0.99998 * 256
        return torch.floor(z).clamp(min=0, max=255).to(torch.int32), ldj

    def counted(self, dims: int) -> int:
        return dims


class CountedOnce(Dequantization):
    def counted(self, dims: int) -> int:
        return 1


class Calls:
    """Counts calls of layers while they are made."""

    def __init__(self, monkeypatch: object) -> None:
        self.count = 0
        plain = Runner.run

        def counted(*arguments: object, **options: object) -> object:
            self.count += 1
            return plain(*arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(Runner, "run", counted)  # type: ignore[attr-defined]


def test_a_right_one_takes_few_calls(monkeypatch: object) -> None:
    calls = Calls(monkeypatch)
    report = ldjcheck.check(Dequantization(), shape=SHAPE)
    assert report.status == "pass", report
    assert [c.status for c in report.checks[:2]] == ["pass", "pass"]
    assert calls.count <= 250


@pytest.mark.slow
def test_a_count_that_is_missing_is_named_and_mended() -> None:
    report = ldjcheck.check(CountedOnce(), shape=SHAPE)
    first = report.findings[0]
    assert first.code == "LDJ101"
    assert first.direction == "forward"
    assert first.fix is not None
    assert first.fix.applicability == "verified"
