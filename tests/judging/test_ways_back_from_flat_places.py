"""Far out, where a map is flat to rounding, a search leads anywhere and proves nothing."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class Gaussianized(nn.Module):
    """The quantiles of a mixture of narrow Gaussians, undone by bisection."""

    def __init__(self, sign: float = -1.0) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.tensor([-1.4, 0.2, 1.3]))
        self.sign = sign  # of the ldj of the way back

    def f(self, x: Tensor) -> Tensor:
        below = torch.special.ndtr(4.0 * (x[..., None] - self.loc)).mean(-1)
        return math.sqrt(2.0) * torch.erfinv((2.0 * below - 1.0) * (1.0 - 1e-6))

    def slopes(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            y = self.f(x).sum()
            return torch.autograd.grad(y, x, create_graph=True)[0].log().sum(-1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.f(x), self.slopes(x)

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        low, high = torch.full_like(z, -10.0), torch.full_like(z, 10.0)
        for _ in range(60):
            x = 0.5 * (low + high)
            above = self.f(x) > z
            low, high = torch.where(above, low, x), torch.where(above, x, high)
        return x, self.sign * self.slopes(x)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", [0, 2, 7])
def test_they_leave_a_right_layer_right(seed: int) -> None:
    torch.manual_seed(seed)
    result = ldjcheck.check(Gaussianized(), seed=100 + seed).result
    assert result.status == "pass"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2, 7])
def test_they_do_not_hide_what_is_wrong_elsewhere(seed: int) -> None:
    torch.manual_seed(seed)
    result = ldjcheck.check(Gaussianized(sign=1.0), seed=100 + seed).result
    assert [f.code for f in result.findings][:1] == ["LDJ302"]
