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
