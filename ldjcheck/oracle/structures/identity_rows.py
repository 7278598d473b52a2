"""Entries that pass through: half of a coupling layer hands its input on as it is.

With y_P = x_P the rows P of J are those of the identity, and det J is that of the block
beside them, whatever stands below: J = [[I, 0], [*, B]], det J = det B.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ldjcheck.oracle.structures.permutation import Permutation, of_order
from ldjcheck.oracle.structures.proof import Block, Proposal


@dataclass(frozen=True, kw_only=True)
class Passed:
    """Outputs that are inputs, bit by bit, in all samples; ascending outputs."""

    outputs: Tensor  # `(m,)`
    inputs: Tensor


def propose(block: Block) -> Proposal[Permutation] | None:
    """Return that some of the outputs are inputs handed on, or None.

    They may come in another order, as where the halves change places.
    """
    passed = passed_through(block)
    if not len(passed.outputs):
        return None
    flipped = block.products.is_transposed
    lines, sources = (
        (passed.inputs, passed.outputs) if flipped else (passed.outputs, passed.inputs)
    )
    part = block.within(lines, sources)
    rest = None if part.size == block.size else block.without(lines, sources)
    return Proposal(claim=_order(part, passed), part=part, rest=rest)


def _order(part: Block, passed: Passed) -> Permutation:
    """Return the permutation of the part: line i is the source `order[i]`."""
    if part.products.is_transposed:
        by_line = passed.inputs.argsort()
        sources = passed.outputs[by_line]
    else:
        sources = passed.inputs
    order = torch.searchsorted(part.sources, sources)
    entries = torch.ones(part.batch, part.size, dtype=torch.float64)
    return of_order(
        order.expand(part.batch, -1),
        entries.to(order.device),
        part.products.epsilon,
        transposed=part.products.is_transposed,
    )


def passed_through(block: Block) -> Passed:
    """Return which of the block's outputs are its inputs, bit by bit.

    An entry's own place is looked at first; a value that occurs twice in a sample tells
    no place, and is left out elsewhere.
    """
    products = block.products
    x = products.x.reshape(products.batch, -1)[:, block.inputs]
    y = products.y[:, block.outputs]
    inputs = torch.full((len(block.outputs),), -1, device=y.device)
    if torch.equal(block.inputs, block.outputs):
        same = ((y == x) & (y != 0)).all(dim=0)
        inputs[same] = block.inputs[same]
    else:
        same = torch.zeros(len(block.outputs), dtype=torch.bool, device=y.device)
    elsewhere = places_of(y, x)
    free = ~torch.isin(block.inputs, inputs[same])
    moved = (elsewhere >= 0) & ~same
    moved &= free[elsewhere.clamp_min(0)]
    inputs[moved] = block.inputs[elsewhere[moved]]
    known = inputs >= 0
    return Passed(outputs=block.outputs[known], inputs=inputs[known])


def places_of(values: Tensor, among: Tensor) -> Tensor:
    """Return where values `(batch, n)` stand among others, alike in all samples, or -1.

    Compared bit by bit. A number that occurs twice, on either side, has no place: of two
    outputs that are one input J has no inverse.
    """
    order = among[0].argsort()
    ranked = among[0][order]
    at = torch.searchsorted(ranked, values[0].to(ranked)).clamp_max(len(ranked) - 1)
    once = torch.ones_like(ranked, dtype=torch.bool)
    once[1:] &= ranked[1:] != ranked[:-1]
    once[:-1] &= ranked[1:] != ranked[:-1]
    place = order[at]
    is_there = once[at] & (among[:, place] == values).all(dim=0)
    taken = torch.zeros(len(order), dtype=torch.long, device=among.device)
    taken.scatter_add_(0, place[is_there], torch.ones_like(place[is_there]))
    return torch.where(is_there & (taken[place] == 1), place, -1)
