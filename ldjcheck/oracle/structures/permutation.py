"""Maps whose every output hangs on one input of its own: J is a permutation of a diagonal.

Flips, shuffles, squeezes and reshapes, with entries that may be scaled on the way.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.jacobian import parity
from ldjcheck.oracle.structures.diagonal import SingleEntries, divisible
from ldjcheck.oracle.structures.proof import Block, Proposal

_SHARE = 1.0 / 8.0  # of the lines: fewer are not worth a step of their own
_NEAR = 1e-6  # a ratio that tells a place is as near to its number


@dataclass(frozen=True, kw_only=True)
class Permutation(SingleEntries):
    """S[i, order[i]] = b[i], zero elsewhere: a generalised permutation matrix."""

    order: Tensor  # the source of each line, `(batch, n)`

    def times(self, w: Tensor) -> Tensor:
        """Return b * w[order]."""
        return self.entries * w.gather(-1, self.order.expand(w.shape))

    def times_transposed(self, v: Tensor) -> Tensor:
        """Return b * v, put where it comes from."""
        order = self.order.expand(v.shape)
        return torch.zeros_like(v).scatter(-1, order, self.entries * v)

    def magnitudes(self, w: Tensor) -> Tensor:
        """Return |b| * w[order]."""
        return self.entries.abs() * w.gather(-1, self.order.expand(w.shape))

    @property
    def scales(self) -> Tensor:
        """|b| by source, and 1 where that is no number to divide by."""
        return self.entries.new_ones(self.entries.shape).scatter(
            -1, self.order, divisible(self.entries)
        )


def propose(block: Block) -> Proposal[Permutation] | None:
    """Return that lines of the block have one entry each, or None where few do.

    Where not all have, the determinant is expanded along those (Laplace). Two products
    find all places at once: with w random and t distinct numbers, A (t * w) / A w is t at
    the source of the line. Nothing is spent where a glimpse shows no zeros.
    """
    if any(len(lines) == block.size for _, lines in block.patterns):
        return None
    order, entries = single_entries(block)
    epsilon, flipped = block.products.epsilon, block.products.is_transposed
    ascending = torch.arange(block.size, device=order.device).expand_as(order)
    if bool((order.sort(dim=1).values == ascending).all(dim=1).any()):
        claim = of_order(order.clamp_min(0), entries, epsilon, transposed=flipped)
        return Proposal(claim=claim, part=block)
    known = _alike(order)
    if int(known.sum()) < max(1, _SHARE * block.size):
        return None
    sources = order[0][known]
    part = block.within(block.lines[known], block.sources[sources])
    places = sources.argsort().argsort().expand(block.batch, -1)
    return Proposal(
        claim=of_order(places, entries[:, known], epsilon, transposed=flipped),
        part=part,
        rest=block.without(part.lines, part.sources),
        part_is_first=not flipped,
    )


def _alike(order: Tensor) -> Tensor:
    """Return which lines have one source in all samples, that no other line has."""
    known = (order[0] >= 0) & (order == order[0]).all(dim=0)
    taken = torch.zeros(len(known), device=order.device)
    taken.scatter_add_(0, order[0].clamp_min(0), known.float())
    return known & (taken[order[0].clamp_min(0)] == 1)


def single_entries(block: Block) -> tuple[Tensor, Tensor]:
    """Return the source of each line that has but one, else -1, and the entry there.

    Both `(batch, n)`. It is a guess, that wants a proof.
    """
    size = block.size
    (w,) = block.random(1)
    places = torch.randperm(size, generator=block.generator).to(block.lines.device)
    numbers = 1.0 + places.double() / size
    plain, told = block.times(torch.stack([w, numbers * w]))
    place, is_told = numbered(told / plain, size)
    source = places.argsort()[place]
    entries = plain / w.gather(-1, source)
    return torch.where(is_told, source, -1), entries


def numbered(told: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return which of the numbers 1 + place / count each is, and whether it is one."""
    place = ((told - 1.0) * count).round().nan_to_num(-1.0, -1.0, -1.0).long()
    inside = (place >= 0) & (place < count)
    place = place.clamp(0, count - 1)
    near = (told - 1.0 - place / count).abs() <= _NEAR / count
    return place, inside & near


def of_order(
    order: Tensor, entries: Tensor, epsilon: float, *, transposed: bool
) -> Permutation:
    """Return the matrix with its determinant; A is `transposed` where A is J^T."""
    logs = entries.abs().log()
    same = bool((order == torch.arange(order.shape[1], device=order.device)).all())
    ones = bool((entries == 1).all())
    by_input = logs if transposed else torch.zeros_like(logs).scatter(-1, order, logs)
    return Permutation(
        structure=("identity" if ones else "diagonal") if same else "permutation",
        sign=(parities(order) * entries.sign().prod(dim=1)) + 0.0,
        ldj=logs.sum(dim=1),
        shares=by_input,
        epsilon=epsilon,
        order=order,
        entries=entries,
    )


def parities(order: Tensor) -> Tensor:
    """Return 1.0 where an even number of swaps sorts the numbers, else -1.0, `(batch,)`."""
    rows = list(map(tuple, order.tolist()))
    known = {row: parity(list(row)) for row in {*rows}}  # most are alike
    found = [known[row] for row in rows]
    return torch.tensor(found, dtype=torch.float64, device=order.device)
