"""Of two dims, twice as much is a number: what varies with the data is summed already."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


class ConvexPotential(nn.Module):
    """y is the gradient of a convex function; its Hessian is L L^T, and det H is det(L)^2."""

    def __init__(self, times: float = 2.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(0.5 * torch.randn(6, 2))
        self.times = times

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        g = torch.sigmoid(x @ self.weight.T)
        slopes = torch.einsum("ki,bk,kj->bij", self.weight, g * (1 - g), self.weight)
        roots = torch.linalg.cholesky(torch.eye(2) + slopes)
        logs = torch.diagonal(roots, dim1=-2, dim2=-1).log()
        return x + g @ self.weight, self.times * logs.sum(-1)


@pytest.mark.slow
def test_half_of_a_sum_over_two_dims_is_no_mean() -> None:
    assert ldjcheck.check(ConvexPotential()).status == "pass"
    (finding,) = ldjcheck.check(ConvexPotential(times=1.0)).findings
    assert finding.code == "LDJ114"
    assert "mean-not-sum" in finding.also_fits
    assert finding.fix is None or "prod" not in finding.fix.edits[0].after


class Quotient(nn.Module):
    """Of three dims one decides how the other two bend: by a quotient, as splines do."""

    def __init__(self, times: float = 2.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Linear(1, 2)
        self.times = times

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, moved = x[:, :1], x[:, 1:]
        steep = 1 + torch.sigmoid(self.net(kept))
        below = (1 + steep * moved.square()).sqrt()
        above = steep.sqrt()
        logs = above.log() - self.times * below.log()
        return torch.cat([kept, torch.asinh(above * moved)], 1), (
            logs + below.log()
        ).sum(1)


def test_half_of_a_sum_over_two_dims_that_move_is_no_mean() -> None:
    assert ldjcheck.check(Quotient()).status == "pass"
    (finding,) = ldjcheck.check(Quotient(times=1.5)).findings
    assert finding.code == "LDJ114", finding
    assert finding.fix is not None
    assert finding.fix.applicability == "verified"
