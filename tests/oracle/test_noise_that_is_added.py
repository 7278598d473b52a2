"""Noise that is added to f(x) leaves the volume of f alone: the ldj is that of x."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Step(nn.Module):
    """One step of a diffusion, backwards: x is pulled by a score, and noise is added."""

    def __init__(self, sign: float = 1.0, beta: float = 0.2) -> None:
        super().__init__()
        self.pull = nn.Parameter(torch.tensor([0.2, 0.7, 0.4]))
        self.sign, self.beta = sign, beta

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        score = -x * torch.sigmoid(self.pull) + 0.3 * torch.sin(x)
        slope = -torch.sigmoid(self.pull) + 0.3 * torch.cos(x)
        moved = x + self.beta * score + math.sqrt(self.beta) * torch.randn_like(x)
        return moved, self.sign * torch.log1p(self.beta * slope).sum(-1)


class Spoiled(Step):
    """The noise is scaled by x: each draw makes another map."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, ldj = super().forward(x)
        return y + 0.1 * x * torch.randn_like(x), ldj


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_step_of_a_diffusion_counts_its_input(seed: int) -> None:
    assert ldjcheck.check(Step(), shape=(3,), seed=seed).status == "pass"
    (finding,) = ldjcheck.check(Step(sign=-1.0), shape=(3,), seed=seed).findings
    assert finding.code == "LDJ104"


def test_noise_that_is_scaled_by_the_input_is_none_that_is_added() -> None:
    assert ldjcheck.check(Spoiled(), shape=(3,)).status != "pass"
