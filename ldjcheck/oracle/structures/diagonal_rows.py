"""Entries that are scaled by themselves, beside others that hang on everything.

A coupling that scales what it hands on has, in J or its transpose, lines with one number on
the diagonal and none beside it: the determinant is their product, times that of the block
of the others. Two random vectors tell them: (A w)_i / w_i is one number b_i for both.
"""

import torch
from torch import Tensor

from ldjcheck.oracle.structures.diagonal import Diagonal, of_entries
from ldjcheck.oracle.structures.proof import Block, Proposal

_LEAST = 0.125  # of the lines: of an order, one after another would be
_UNITS = 1024.0  # of rounding, by which both quotients may differ


def propose(block: Block) -> Proposal[Diagonal] | None:
    """Return that some of the lines hold a number on the diagonal alone, or None."""
    if not torch.equal(block.lines, block.sources):
        return None
    found = _alone(block)
    if not _LEAST * block.size <= int(found.sum()) < block.size:
        return None
    lines = block.lines[found]
    part, rest = block.within(lines, lines), block.without(lines, lines)
    ones = torch.ones(part.batch, part.size, dtype=torch.float64, device=lines.device)
    claim = of_entries(part.times(ones), part.products.epsilon)
    first = not part.products.is_transposed
    return Proposal(claim=claim, part=part, rest=rest, part_is_first=first)


def _alone(block: Block) -> Tensor:
    """Return which lines have one quotient for two random vectors, in all samples."""
    quotients = [block.times(w) / w for w in block.random(2)]
    size = torch.maximum(*(each.abs() for each in quotients))
    off = (quotients[0] - quotients[1]).abs()
    same = (off <= _UNITS * block.products.epsilon * size) & (size > 0)
    alone: Tensor = (same & size.isfinite()).all(dim=0)
    return alone
