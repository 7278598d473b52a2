"""What is known of log|det J|, sample by sample, and how; what the dense way would cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import thread_time

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.anchor import Stage
from ldjcheck.oracle.structures.proof import Block, Claim, Proof, Proposal
from ldjcheck.records import Structure
from ldjcheck.records.words import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Determinant:
    """log|det J| of each sample, how it is known, and what that took.

    Shapes are `(batch,)`, numbers are nats. Samples of which nothing is known have NaN.
    """

    exact: Tensor
    sign: Tensor
    allowed: Tensor | None  # how far `exact` may be off; None where nobody asked
    parts: tuple[tuple[Structure, int], ...]  # what J falls into, with the dims of each
    method: Method
    products: int
    calls: int
    anchored: Tensor | None  # whether differences agree; None where nobody asked
    shares: Tensor | None = None  # of the inputs, `(batch, dims)`, where they are known
    # the least special one of all samples and parts
    structure: Structure | None = None
    # `(batch, dims, dims)`, where all of it was worked out
    jacobian: Tensor | None = None
    coupled: Tensor | None = None  # samples that influence others, or hang on them
    # what a dense Jacobian would cost, where it was not afforded
    refused: Cost | None = None

    @property
    def is_known(self) -> Tensor:
        """On which samples there is a proof."""
        return ~torch.isnan(self.exact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the determinant of one block, `(batch,)` each."""

    done: Tensor
    sign: Tensor
    ldj: Tensor
    error: Tensor
    shares: Tensor  # by input among all dims, NaN where nothing tells
    alone: Tensor  # whether its entries of A are the only ones in their columns
    parts: tuple[tuple[Structure, int], ...] = ()
    stages: tuple[Stage, ...] = ()
    jacobian: Tensor | None = None
    coupled: Tensor | None = None
    refused: Cost | None = None

    def merged(self, other: Known) -> Known:
        """Return this, with other samples that the other knows."""
        take = other.done & ~self.done

        def chosen(here: Tensor, there: Tensor) -> Tensor:
            mask = take.reshape(-1, *[1] * (here.dim() - 1))
            return torch.where(mask, there, here)

        fuller = other if self.jacobian is None else self
        coupled = [each for each in (self.coupled, other.coupled) if each is not None]
        return Known(
            done=self.done | other.done,
            sign=chosen(self.sign, other.sign),
            ldj=chosen(self.ldj, other.ldj),
            error=chosen(self.error, other.error),
            shares=chosen(self.shares, other.shares),
            alone=chosen(self.alone, other.alone),
            parts=self.parts + (other.parts if bool(take.any()) else ()),
            stages=self.stages + (other.stages if bool(take.any()) else ()),
            jacobian=fuller.jacobian,
            coupled=torch.stack(coupled).any(dim=0) if coupled else None,
            refused=self.refused or other.refused,
        )

    def beside(self, other: Known, parity: float) -> Known:
        """Return the determinants multiplied, where both are known."""
        told = torch.isnan(self.shares)
        return Known(
            done=self.done & other.done,
            sign=self.sign * other.sign * parity,
            ldj=self.ldj + other.ldj,
            error=self.error + other.error,
            shares=torch.where(told, other.shares, self.shares),
            alone=self.alone & other.alone,
            parts=self.parts + other.parts,
            stages=self.stages + other.stages,
            coupled=other.coupled,
            refused=other.refused,
        )


def nothing_known(batch: int, dims: int, device: torch.device) -> Known:
    """Return that nothing is known of any sample."""
    missing = torch.full((batch,), torch.nan, dtype=torch.float64, device=device)
    return Known(
        done=torch.zeros(batch, dtype=torch.bool, device=device),
        sign=missing,
        ldj=missing,
        error=missing,
        shares=missing[:, None].expand(batch, dims),
        alone=torch.zeros(batch, dtype=torch.bool, device=device),
    )


def known_of(
    proposal: Proposal[Claim],
    proof: Proof,
    done: Tensor,
    stage: Stage,
    *,
    bounded: bool,
) -> Known:
    """Return what a proved claim tells of its part."""
    claim, part = proposal.claim, proposal.part
    shares = torch.full(
        (part.batch, part.products.dims), torch.nan, dtype=torch.float64,
        device=done.device,
    )  # fmt: skip
    if claim.shares is not None:
        shares[:, part.inputs] = claim.shares
    # entries are no better than products
    unusual = 1.0 + proof.residual / claim.epsilon
    return Known(
        done=done,
        sign=claim.sign,
        ldj=claim.ldj,
        error=proof.error + (claim.rounding * unusual if bounded else 0.0),
        shares=shares,
        alone=proof.is_alone,
        parts=((claim.structure, part.size),),
        stages=(stage,),
    )


def structure_of_parts(
    parts: tuple[tuple[Structure, int], ...], *, alone: bool
) -> Structure | None:
    """Return one word for a J that falls into parts.

    They stand `alone`, or below each there may be whatever it likes: what consists of
    pivots is then triangular, all else is made of blocks.
    """
    words = {word for word, _ in parts}
    if len(words) < 2 and (alone or len(parts) < 2):
        return next(iter(words), None)
    if alone and words <= {"identity", "diagonal"}:
        return "diagonal"
    if alone and words <= {"identity", "diagonal", "permutation"}:
        return "permutation"
    pivots = {"identity", "diagonal", "permutation", "triangular"}
    return "triangular" if words <= pivots else "block"


# --- what the dense way would cost ----------------------------------------------------

_FLOPS = 2e9  # multiplications and additions of a factorisation per second, at least
_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a dense Jacobian takes: products, and about how long and how much memory."""

    products: int
    seconds: float
    memory: int  # bytes

    def __str__(self) -> str:
        """Return it in words."""
        seconds = f"{self.seconds:{'.1g' if self.seconds < 10 else '.0f'}}"
        passes = f"{self.products} backward passes"
        return f"{passes}, about {seconds} s, {_size(self.memory)}"


Afford = Callable[[Cost], bool]
"""Says whether a dense Jacobian may be worked out."""


def cost_of_dense(block: Block) -> Cost:
    """Return what all entries of a block cost, from the time that one product takes."""
    (w,) = block.random(1)
    started = thread_time()  # as deadlines count it
    block.times(w)
    one = thread_time() - started
    size, batch = block.size, block.batch
    factorised = 2.0 / 3.0 * batch * float(size) ** 3 / _FLOPS
    chunk = min(_AT_ONCE, size)
    return Cost(
        products=size,
        seconds=size * one + factorised,
        memory=8 * batch * (size * size + 2 * chunk * block.products.dims),
    )


def _size(memory: int) -> str:
    amount = float(memory)
    for unit in ("bytes", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
