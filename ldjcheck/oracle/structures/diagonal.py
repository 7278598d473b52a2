"""Elementwise maps: J is diagonal, and log|det J| the sum of log|J_ii|."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ldjcheck.oracle.structures.proof import Block, Claim, Proposal


@dataclass(frozen=True, kw_only=True)
class Diagonal(Claim):
    """S = diag(b)."""

    entries: Tensor  # b, `(batch, n)`

    def times(self, w: Tensor) -> Tensor:
        """Return b * w."""
        return self.entries * w

    def times_transposed(self, v: Tensor) -> Tensor:
        """Return b * v."""
        return self.entries * v

    def magnitudes(self, w: Tensor) -> Tensor:
        """Return |b| * w."""
        return self.entries.abs() * w

    @property
    def rounding(self) -> Tensor:
        """That of the entries and their logarithms."""
        return rounded_logs(self.entries.abs().log(), self.epsilon)

    @property
    def scales(self) -> Tensor:
        """|b|, and 1 where that is no number to divide by."""
        return divisible(self.entries)

    @property
    def influence(self) -> Tensor:
        """1 where b is not zero: C S^-1 is the identity."""
        return (self.entries != 0).double()


def propose(block: Block) -> Proposal[Diagonal] | None:
    """Return that the block is diagonal, unless a glimpse of it shows otherwise.

    The entries are those of S 1, the sums of the lines.
    """
    for source, lines in block.patterns:
        if not torch.isin(lines, source).all():
            return None
    ones = torch.ones(block.batch, block.size, dtype=torch.float64)
    entries = block.times(ones.to(block.lines.device))
    return Proposal(claim=of_entries(entries, block.products.epsilon), part=block)


def of_entries(entries: Tensor, epsilon: float) -> Diagonal:
    """Return diag(b) with its determinant."""
    logs = entries.abs().log()
    return Diagonal(
        structure="identity" if bool((entries == 1).all()) else "diagonal",
        sign=entries.sign().prod(dim=1) + 0.0,  # no minus zero
        ldj=logs.sum(dim=1),
        shares=logs,
        epsilon=epsilon,
        entries=entries,
    )


def rounded_logs(logs: Tensor, epsilon: float) -> Tensor:
    """Return how far a sum of logarithms is off whose arguments are rounded, `(batch,)`."""
    known = logs.masked_fill(~torch.isfinite(logs), 0.0).abs()
    return 4.0 * epsilon * (logs.shape[1] + known.sum(dim=1))


def divisible(entries: Tensor) -> Tensor:
    """Return the sizes of entries, and 1 for those that nothing can be divided by."""
    size = entries.abs()
    return size.masked_fill((size == 0) | ~torch.isfinite(size), 1.0)
