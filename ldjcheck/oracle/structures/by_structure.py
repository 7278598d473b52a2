"""The exact log|det J| of a map from few products of its Jacobians, by their structure.

Each oracle proposes what J may be, and random products prove it, sample by sample; a
sample of which that fails goes to the next one. Known entries leave a smaller block, which
is asked the same again. The last one works out every entry, and nothing has to be guessed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.anchor import Stage, anchored
from ldjcheck.oracle.derivatives.products import (
    AUTOGRAD,
    FEW,
    WAYS,
    EventMap,
    Products,
    opened,
)
from ldjcheck.oracle.structures import (
    blocks,
    colouring,
    dense,
    diagonal,
    identity_rows,
    low_rank,
    permutation,
    triangular,
)
from ldjcheck.oracle.structures.determinant import (
    Afford,
    Determinant,
    Known,
    cost_of_dense,
    known_of,
    nothing_known,
    structure_of_parts,
)
from ldjcheck.oracle.structures.permutation import Permutation
from ldjcheck.oracle.structures.proof import Block, Claim, Glimpse, Proposal, prove

Oracle = Callable[[Block], Proposal[Claim] | None]

ORACLES: tuple[Oracle, ...] = (
    identity_rows.propose,
    diagonal.propose,
    permutation.propose,
    blocks.propose,
    low_rank.propose,
    triangular.propose,
    colouring.propose,
    diagonal.propose_some,
)
"""From the cheapest one on; the dense Jacobian is behind them all."""


_LEAST = 4  # lines that are left: fewer are worked out
_GLIMPSES = 4  # columns, of different samples or of one, that are looked at first


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of the oracles."""

    seed: int = 0
    anchor: bool = True  # hold what is claimed against differences: 2 calls or more
    bounds: bool = True  # say how far the numbers may be off
    afford: Afford | None = None  # may all entries of the Jacobian be worked out?
    entries: bool = True  # may a matrix of all entries be factorised at all?
    differences: bool = True  # may they serve where nothing else differentiates?


def determinant(f: EventMap, x: Tensor, wanted: Wanted | None = None) -> Determinant:
    """Return log|det J| of a map at each sample of a batch.

    Args:
        f: the map, `(batch, *event)` to as many real numbers per sample. It is called
            with whole batches of the size of x.
        x: the points, `(batch, *event)`.
        wanted: what is asked.

    Raises:
        NoProductsError: nothing differentiates through f.
        NoTensorError: f returns something else than a tensor.
        UnequalDimsError: J is not square.
    """
    wanted = wanted or Wanted()
    generator = torch.Generator().manual_seed(wanted.seed)
    products, glimpses = looked_at(f, x, generator, wanted)
    return solved_by(products, glimpses, generator, wanted)


def solved_by(
    products: Products,
    glimpses: tuple[Glimpse, ...],
    generator: torch.Generator,
    wanted: Wanted,
) -> Determinant:
    """Return the same by products that are at hand, some of which were looked at."""
    every = torch.arange(products.dims, device=products.x.device)
    whole = Block(
        products=products,
        lines=every,
        sources=every,
        glimpses=glimpses,
        generator=generator,
    )
    pending = torch.ones(products.batch, dtype=torch.bool, device=every.device)
    known = _solved(whole, pending, every[:0], wanted)
    return _record(products, known, wanted, generator)


def looked_at(
    f: EventMap, x: Tensor, generator: torch.Generator, wanted: Wanted
) -> tuple[Products, tuple[Glimpse, ...]]:
    """Return the products of f, and some columns of A.

    Raises:
        NoProductsError, NoTensorError, UnequalDimsError: as `determinant`.
    """
    sources, units = _units(x, generator)
    ways = WAYS if wanted.differences else AUTOGRAD
    products, columns = opened(f, x, units, ways)
    first = Glimpse(sources=sources, columns=columns)
    return products, (first, *glimpsed(products, generator, seen=1))


def glimpsed(
    products: Products, generator: torch.Generator, seen: int = 0
) -> tuple[Glimpse, ...]:
    """Return some columns of A, less by as many as were `seen`.

    Raises:
        NoProductsError: there are none.
    """
    few = products.dims <= FEW
    found = []
    for _ in range((1 if few else max(1, _GLIMPSES // products.batch)) - seen):
        sources, units = _units(products.x, generator)
        found.append(Glimpse(sources=sources, columns=products.times(units)))
    return tuple(found)


def _units(x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return a source of each sample, and the vector that asks for its column."""
    batch, dims = len(x), x[0].numel()
    sources = torch.randint(0, dims, (batch,), generator=generator)
    units = torch.zeros(batch, dims, dtype=torch.float64)
    units[torch.arange(batch), sources] = 1.0
    return sources.to(x.device), units.to(x.device)


def _solved(block: Block, pending: Tensor, still: Tensor, wanted: Wanted) -> Known:
    """Return what is known of a block, for samples that are pending.

    `still` are outputs outside of the block that do not move with its inputs.
    """
    known = nothing_known(block.batch, block.products.dims, pending.device)
    for oracle in () if _is_small(block) else ORACLES:
        if oracle is colouring.propose and not wanted.entries:
            continue  # its determinant is that of a matrix of all entries
        left = pending & ~known.done
        if not left.any():
            return known
        proposal = oracle(block)
        if proposal is not None:
            known = known.merged(_proved(block, proposal, left, still, wanted))
    left = pending & ~known.done
    if not left.any():
        return known
    return known.merged(_all_entries(block, left, still, wanted))


def _proved(
    block: Block,
    proposal: Proposal[Claim],
    pending: Tensor,
    still: Tensor,
    wanted: Wanted,
    *,
    apart: bool = False,
) -> Known:
    """Return what a proposal tells of a block where it is proved."""
    proof = prove(proposal, apart=apart)
    holds = proof.holds & pending
    part, rest = proposal.part, proposal.rest
    none = nothing_known(block.batch, block.products.dims, pending.device)
    if not holds.any():
        return none
    beside = still[:0]
    if rest is not None and not proposal.part_is_first:
        beside = rest.outputs
    stage = _stage(proposal, torch.cat([still, beside]), holds)
    found = known_of(proposal, proof, holds, stage, bounded=wanted.bounds)
    if rest is None:
        return found
    if proposal.part_is_first:
        still = torch.cat([still, part.outputs])
    return found.beside(_solved(rest, holds, still, wanted), _parity(block, part))


def _all_entries(block: Block, pending: Tensor, still: Tensor, wanted: Wanted) -> Known:
    """Return what all entries of a block tell, if they can be afforded.

    Where samples influence each other, each one's own block counts.
    """
    none = nothing_known(block.batch, block.products.dims, pending.device)
    if not _is_small(block):
        if not wanted.entries:
            return none
        if wanted.afford is not None:
            cost = cost_of_dense(block)
            if not wanted.afford(cost):
                return replace(none, refused=cost)
    proposal = dense.propose(block)
    found = _proved(block, proposal, pending, still, wanted)
    left = pending & ~found.done
    if left.any() and block.batch > 1:
        proposal = dense.propose(block, apart=True)
        found = found.merged(
            replace(
                _proved(block, proposal, left, still, wanted, apart=True), coupled=left
            )
        )
    if block.is_whole and found.done.any():
        columns = proposal.claim.columns
        flipped = block.products.is_transposed
        return replace(found, jacobian=columns if flipped else columns.mT)
    return found


def _is_small(block: Block) -> bool:
    """Return whether all entries take hardly more products than a proof."""
    return block.products.dims <= FEW or block.size < _LEAST


def _stage(proposal: Proposal[Claim], still: Tensor, samples: Tensor) -> Stage:
    """Return what differences of y have to show, should the claim be true of the map."""
    claim, part = proposal.claim, proposal.part
    source = part if claim.is_graded else claim
    times = source.times_transposed if part.products.is_transposed else source.times
    return Stage(
        inputs=part.inputs,
        outputs=part.outputs,
        slope=lambda direction: times(direction[None])[0],
        still=still,
        copied=_copied(claim, part),
        samples=samples,
    )


def _copied(claim: Claim, part: Block) -> Tensor | None:
    """Return which input each output is, where they are handed on alike in all samples."""
    if not isinstance(claim, Permutation) or not bool((claim.entries == 1).all()):
        return None
    order = claim.order[0]
    if not bool((claim.order == order).all()):
        return None
    return part.inputs[order.argsort() if part.products.is_transposed else order]


def _parity(block: Block, part: Block) -> float:
    """Return the sign of putting a part's lines and sources before the others."""
    swaps = 0
    for inner, outer in ((part.lines, block.lines), (part.sources, block.sources)):
        at = torch.searchsorted(outer, inner)
        swaps += int((at - torch.arange(len(at), device=at.device)).sum())
    return -1.0 if swaps % 2 else 1.0


def _record(
    products: Products, known: Known, wanted: Wanted, generator: torch.Generator
) -> Determinant:
    holds = anchored(products, known.stages, generator) if wanted.anchor else None
    missing = ~known.done
    alone = bool(known.alone[known.done].all())
    structure = structure_of_parts(known.parts, alone=alone)
    simple = structure is not None and known.jacobian is None
    return Determinant(
        exact=known.ldj.masked_fill(missing, torch.nan),
        sign=known.sign.masked_fill(missing, torch.nan),
        allowed=known.error.masked_fill(missing, torch.nan) if wanted.bounds else None,
        shares=None if known.shares.isnan().any() else known.shares,
        structure=structure,
        parts=known.parts,
        method="products" if simple else products.method,
        products=products.products,
        calls=products.calls,
        anchored=None if holds is None else holds & known.done,
        jacobian=known.jacobian,
        coupled=known.coupled,
        refused=known.refused,
    )
