"""float32 against float64: what rounding explains is no mistake, and what it does not is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Chaotic(nn.Module):
    """Right; each step doubles what rounding did to the one before."""

    def __init__(self, steps: int = 16) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(4))
        self.steps = steps

    def forward(self, x: Tensor) -> Pair:
        ldj = x.new_zeros(len(x))
        for _ in range(self.steps):
            slope = 2.0 + torch.cos(3 * x)
            x = 2 * x + torch.sin(3 * x) / 3 + self.shift
            ldj = ldj + slope.log().sum(1)
        return x, ldj


class OtherInFloat32(nn.Module):
    """Tells dtypes apart, and is off by a thousandth where it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Pair:
        off = 1e-3 if x.dtype is torch.float32 else 0.0
        return x * self.log_scale.exp(), (self.log_scale.sum() + off).expand(len(x))


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(6))
def test_a_map_that_takes_rounding_far_passes_with_a_note(seed: int) -> None:
    report = ldjcheck.check(Chaotic(), shape=(4,), seed=seed)
    assert report.status == "pass", report
    (note,) = [f for f in report.findings if f.code == "LDJ212"]
    assert note.severity == "note"
    assert note.message.startswith("In float32 rounding moves the ldj by ")


def test_what_no_rounding_explains_fails_however_small() -> None:
    report = ldjcheck.check(OtherInFloat32())
    assert report.status == "fail", report
    assert "rounding explains" in report.findings[0].message
