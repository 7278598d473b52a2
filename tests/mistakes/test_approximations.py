"""What the digits of an approximated map leave is no mistake, and is not called right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ldjcheck


class Integral(nn.Module):
    """A monotone network, by a quadrature of fixed length; the ldj is its integrand."""

    def __init__(self, *, at_output: bool = False) -> None:
        super().__init__()
        self.w = nn.Parameter(0.5 * torch.randn(3, 10))
        self.c = nn.Parameter(torch.randn(3, 10))
        nodes, weights = np.polynomial.legendre.leggauss(24)
        self.nodes, self.weights = ((nodes + 1) / 2).tolist(), (weights / 2).tolist()
        self.at_output = at_output

    def rate(self, t: Tensor) -> Tensor:
        return F.softplus(torch.tanh(t[..., None] * self.w + self.c).sum(-1)) + 0.05

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        pairs = zip(self.nodes, self.weights, strict=True)
        y = sum(w * x * self.rate(t * x) for t, w in pairs)
        assert isinstance(y, Tensor)
        return y, self.rate(y if self.at_output else x).log().sum(1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_quadrature_of_fixed_length_is_not_called_wrong(seed: int) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(Integral(), seed=seed)
    assert report.status in ("pass", "unproven"), report
    assert ldjcheck.check(Integral(at_output=True), seed=seed).status == "fail"
