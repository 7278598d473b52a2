"""Elementwise maps: J is diagonal, and log|det J| the sum of log|J_ii|.

Some entries may be scaled by themselves, beside others that hang on everything. A coupling
that scales what it hands on has, in J or its transpose, lines with one number on the
diagonal and none beside it: the determinant is their product, times that of the block of
the others. Two random vectors tell them: (A w)_i / w_i is one number b_i for both.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ldjcheck.oracle.structures.proof import Block, Claim, Proposal

_LEAST = 0.125  # of the lines: of an order, one after another would be
_UNITS = 1024.0  # of rounding, by which both quotients may differ


@dataclass(frozen=True, kw_only=True)
class SingleEntries(Claim):
    """A matrix with one entry in each line, and in each column."""

    entries: Tensor  # b, by line, `(batch, n)`

    @property
    def rounding(self) -> Tensor:
        """That of the entries and their logarithms; ones have none."""
        return rounded_logs(self.entries.abs().log(), self.epsilon)

    @property
    def influence(self) -> Tensor:
        """1 where b is not zero: C S^-1 is the identity."""
        return (self.entries != 0).double()


@dataclass(frozen=True, kw_only=True)
class Diagonal(SingleEntries):
    """S = diag(b)."""

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
    def scales(self) -> Tensor:
        """|b|, and 1 where that is no number to divide by."""
        return divisible(self.entries)


def propose(block: Block) -> Proposal[Diagonal] | None:
    """Return that the block is diagonal, unless a glimpse of it shows otherwise.

    The entries are those of S 1, the sums of the lines.
    """
    for source, lines in block.patterns:
        if not torch.isin(lines, source).all():
            return None
    return Proposal(claim=_of(block), part=block)


def propose_some(block: Block) -> Proposal[Diagonal] | None:
    """Return that some of the lines hold a number on the diagonal alone, or None."""
    if not torch.equal(block.lines, block.sources):
        return None
    found = _alone(block)
    if not _LEAST * block.size <= int(found.sum()) < block.size:
        return None
    lines = block.lines[found]
    part, rest = block.within(lines, lines), block.without(lines, lines)
    first = not part.products.is_transposed
    return Proposal(claim=_of(part), part=part, rest=rest, part_is_first=first)


def _alone(block: Block) -> Tensor:
    """Return which lines have one quotient for two random vectors, in all samples."""
    quotients = [block.times(w) / w for w in block.random(2)]
    size = torch.maximum(*(each.abs() for each in quotients))
    off = (quotients[0] - quotients[1]).abs()
    same = (off <= _UNITS * block.products.epsilon * size) & (size > 0)
    alone: Tensor = (same & size.isfinite()).all(dim=0)
    return alone


def _of(block: Block) -> Diagonal:
    """Return diag(b) with its determinant, b the sums of the block's lines."""
    ones = torch.ones(block.batch, block.size, dtype=torch.float64)
    entries = block.times(ones.to(block.lines.device))
    logs = entries.abs().log()
    return Diagonal(
        structure="identity" if bool((entries == 1).all()) else "diagonal",
        sign=entries.sign().prod(dim=1) + 0.0,  # no minus zero
        ldj=logs.sum(dim=1),
        shares=logs,
        epsilon=block.products.epsilon,
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
