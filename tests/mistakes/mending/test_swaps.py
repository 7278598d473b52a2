"""What stands in the place of something else is put where it belongs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class OfTwoSides(nn.Module):
    """Mixes rows by one matrix and columns by another; each counts the other's size."""

    def __init__(self, rows: int = 2, columns: int = 5) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        self.a = nn.Parameter(torch.eye(rows) + 0.1 * torch.randn(rows, rows))
        self.b = nn.Parameter(torch.eye(columns) + 0.1 * torch.randn(columns, columns))

    def forward(self, x: Tensor) -> Pair:
        of_a = self.a.slogdet()[1]
        of_b = self.b.slogdet()[1]
        ldj = self.rows * of_a + self.columns * of_b
        return self.a @ x @ self.b.T, ldj.expand(len(x))


class OfAMixture(nn.Module):
    """Adds up curves with weights; the logarithms of their slopes are not what adds up."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(4, 3))
        self.steep = nn.Parameter(torch.randn(4, 3))

    def forward(self, x: Tensor) -> Pair:
        w, a = self.weights.softmax(-1), self.steep.exp()
        bent = torch.tanh(a * x[..., None])
        y = x + (w * bent).sum(-1)
        slope = 1 + a * (1 - bent**2)
        log_slope = (w * slope.log()).sum(-1)
        return y, log_slope.sum(-1)


@pytest.mark.parametrize(
    ("make", "after"),
    [
        (OfTwoSides, "ldj = self.rows * of_b + self.columns * of_a"),
        (OfAMixture, "log_slope = (w * slope).sum(-1).log()"),
    ],
)
def test_a_verified_edit_puts_it_where_it_belongs(
    make: type[nn.Module], after: str
) -> None:
    for seed in range(3):
        torch.manual_seed(seed)
        finding = ldjcheck.check(make(), seed=seed, pictures=False).findings[0]
        assert finding.fix is not None, seed
        assert finding.fix.applicability == "verified"
        (edit,) = finding.fix.edits
        assert edit.after.strip() == after
        assert finding.location is not None
        assert finding.location.line == edit.line
