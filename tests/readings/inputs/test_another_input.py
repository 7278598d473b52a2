"""The map may be that of what was taken for a context: an encoder is given its noise."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Posterior(nn.Module):
    """Draws z for x by noise that it is given, and returns the density of that."""

    def __init__(self, *, sign: float = -1.0, dims: int = 3) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, 2 * dims)
        self.log_scale = nn.Parameter(0.4 * torch.randn(dims))
        self.sign = sign

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_std = self.encoder(x).chunk(2, 1)
        log_q = (-0.5 * eps**2 - 0.5 * math.log(2 * math.pi) - log_std).sum(1)
        z = torch.sinh(mean + eps * log_std.exp()) * self.log_scale.exp()
        slope = torch.log1p((z / self.log_scale.exp()) ** 2) / 2 + self.log_scale
        return z, log_q + self.sign * slope.sum(1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dims", [2, 3])
def test_noise_that_is_given_is_the_input(seed: int, dims: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(Posterior(dims=dims), seed=seed)
    assert report.status == "pass", report
    assert report.result.inferred["input"].startswith("eps: of it are made what")
    assert report.result.inferred["shape"] == (f"({dims},): as large as what comes out")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
def test_a_wrong_one_is_wrong_so(seed: int) -> None:
    torch.manual_seed(seed)
    wrong = ldjcheck.check(Posterior(sign=1.0), seed=seed)
    assert [f.code for f in wrong.findings if f.severity == "error"] == ["LDJ104"]
    assert wrong.findings[0].fix is not None


def test_what_is_typed_stays_a_context() -> None:
    report = ldjcheck.check(Posterior(), shape=6, context={"eps": 3})
    assert report.status == "unproven", report
