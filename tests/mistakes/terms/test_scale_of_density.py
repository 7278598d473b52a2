"""A density that reads a scale and does not count it: told and mended where it is read."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import ldjcheck


def log_normal(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    log_p = -0.5 * (math.log(2 * math.pi) + (z - mean) ** 2 / log_var.exp())
    return log_p.sum(dim=-1)


class LogVarianceInAHelper(nn.Module):
    """Draws from a normal, and says its density by a helper that lacks its scale."""

    def __init__(self) -> None:
        super().__init__()
        self.to_mean, self.to_log_var = nn.Linear(4, 3), nn.Linear(4, 3)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.to_mean(x), self.to_log_var(x)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        return z, log_normal(z, mean, log_var)


class ScaleInAMethod(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean, self.log_std = nn.Linear(3, 2), nn.Linear(3, 2)

    def log_density(self, z: Tensor, m: Tensor, s: Tensor) -> Tensor:
        u = (z - m) / s.exp()
        each = -0.5 * math.log(2 * math.pi) - u.square() / 2
        return each.sum(dim=1)

    def rsample(self, x: Tensor) -> tuple[Tensor, Tensor]:
        m, s = self.mean(x), self.log_std(x)
        z = m + s.exp() * torch.randn_like(s)
        return z, self.log_density(z, m, s)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("flow", "line"),
    [
        (
            LogVarianceInAHelper,
            "log_p = -0.5 * (math.log(2 * math.pi) + (z - mean) ** 2 / log_var.exp() "
            "+ log_var)",
        ),
        (ScaleInAMethod, "each = -0.5 * math.log(2 * math.pi) - u.square() / 2 - s"),
    ],
)
def test_what_a_density_reads_and_lacks_is_added_where_it_reads_it(
    flow: type[nn.Module], line: str, seed: int
) -> None:
    torch.manual_seed(seed)
    report = ldjcheck.check(flow())
    (finding,) = [f for f in report.findings if f.severity == "error"]
    assert finding.code == "LDJ110"
    assert finding.fix is not None
    assert [edit.after.strip() for edit in finding.fix.edits] == [line]
