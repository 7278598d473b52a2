"""A layer that looks at fewer numbers than it runs on is judged at those."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import ldjcheck

Pair = tuple[Tensor, Tensor]


class Sticks(nn.Module):
    """Breaks a stick into four pieces, by three numbers; four would run as well."""

    def __init__(self, pieces: int = 4, counted: float = 1.0) -> None:
        super().__init__()
        self.pieces, self.counted = pieces, counted

    def forward(self, x: Tensor) -> Pair:
        left, parts, ldj = torch.ones(len(x)), [], torch.zeros(len(x))
        for i in range(self.pieces - 1):
            share = torch.sigmoid(x[:, i])
            ldj = ldj + self.counted * left.log() + (share * (1 - share)).log()
            parts.append(left * share)
            left = left - parts[-1]
        return torch.stack([*parts, left], 1), ldj


class Forgets(nn.Module):
    """Leaves its last entry out at every size, and hands back zero for it."""

    def forward(self, x: Tensor) -> Pair:
        kept = torch.cat([2 * x[:, :-1], torch.zeros(len(x), 1)], 1)
        return kept, torch.full((len(x),), 0.6931471805599453 * (x.shape[1] - 1))


@pytest.mark.thinned(3)
@pytest.mark.parametrize("seed", range(3))
def test_it_is_judged_at_the_entries_that_it_reads(seed: int) -> None:
    right = ldjcheck.check(Sticks(), seed=seed)
    assert (right.status, right.checks[0].shape) == ("pass", (3,)), right
    assert right.result.inferred["shape"] == "(3,): nothing reads more of 4"
    assert ldjcheck.check(Sticks(counted=0.0), seed=seed).status == "fail"


def test_what_forgets_an_entry_does_so_at_every_size() -> None:
    report = ldjcheck.check(Forgets())
    assert report.status == "fail"
    assert "LDJ304" in {finding.code for finding in report.findings}
