"""Whether a matrix of known structure is the Jacobian of a block: proved by products.

For a matrix E that is not zero and a random vector w, E w is zero with probability zero
(Freivalds, *Probabilistic machines can use less running time*, 1977). In floating point
the residual r = A w - S w is compared with what rounding explains, line by line: lines of
small numbers are not hidden behind those of large ones. What a residual may conceal is
said as an error of log|det|. With r = E w, each entry of w of density at most 1/2, the
norm of a line of E is below |r| / delta but for a chance of sqrt(2) * delta, with k
vectors of its k-th power (Rudelson and Vershynin, *Small ball probabilities for linear
images of high-dimensional distributions*, 2015).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import hides_mistakes
from ldjcheck.oracle.derivatives.jacobian import random_direction
from ldjcheck.oracle.derivatives.products import Products
from ldjcheck.records import Structure

PROBES = 2  # random vectors per proof
_DELTA = 1.0 / 64.0  # a line's error is at most 64 residuals: wrong once in 2000 lines
_ROUNDING = 256.0  # units that the rounding of one product explains
_SHARE = 0.1  # of what a mistake may cost: an error above that proves nothing
_NOISY = 2.0**20  # times what rounding explains: above that nobody looks for noise
_LOUD = 8.0  # times the noise that was seen, and no more, may a residual be
_FACTORS = (1.1, 0.7, 1.9)  # no powers of two, by which nothing is rounded
_COARSE = 2.0**12  # units per dim that an error may have where precision is low


@dataclass(frozen=True, kw_only=True)
class Claim(ABC):
    """A matrix S `(batch, n, n)` of known determinant, said to be a block of A."""

    structure: Structure
    sign: Tensor  # of det S, `(batch,)`
    ldj: Tensor  # log|det S|, nats, `(batch,)`
    shares: Tensor | None  # of the inputs, ascending, `(batch, n)`
    epsilon: float  # the rounding unit of the entries

    probes: ClassVar[int] = PROBES  # random vectors that prove it
    # Whether S w is known for some vectors only, those that `scales` shapes.
    is_graded: ClassVar[bool] = False

    @abstractmethod
    def times(self, w: Tensor) -> Tensor:
        """Return S w, `(k, batch, n)`."""

    @abstractmethod
    def times_transposed(self, v: Tensor) -> Tensor:
        """Return S^T v, `(k, batch, n)`."""

    @abstractmethod
    def magnitudes(self, w: Tensor) -> Tensor:
        """Return |S| w: how large the terms are that S w is the sum of."""

    @property
    @abstractmethod
    def rounding(self) -> Tensor:
        """How far rounding of S, and of what follows, moves log|det S|, nats, `(batch,)`."""

    @property
    @abstractmethod
    def scales(self) -> Tensor:
        """How large the columns of S are once its lines are scaled to one; not zero."""

    @property
    @abstractmethod
    def influence(self) -> Tensor:
        """How far the error of a line moves log|det S|, to first order, `(batch, n)`.

        The norms of the columns of C S^-1, where C holds the scales on its diagonal.
        """


AClaim = TypeVar("AClaim", bound=Claim, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Proposal(Generic[AClaim]):
    """A claim about a part of a block, and that the rest lies beside or below it.

    Where `part_is_first` the part's outputs hang on none of the rest's inputs, else the
    rest's outputs on none of the part's inputs: the determinants multiply.
    """

    claim: AClaim
    part: Block
    rest: Block | None = None
    part_is_first: bool = True


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What the random products said, `(batch,)` each."""

    holds: Tensor
    residual: Tensor  # the largest of all lines, relative to what the line adds up
    error: Tensor  # of log|det|, that the residuals may conceal, nats
    is_alone: Tensor  # whether the part's vectors moved no line outside of it


def prove(proposal: Proposal[Claim], *, apart: bool) -> Proof:
    """Return on which samples random products confirm a proposal.

    The samples are multiplied all at once, which proves as well that none hangs on
    another; or one by one and `apart`, which does not.
    """
    part, claim = proposal.part, proposal.claim
    epsilon = part.products.epsilon
    w = part.random(1 if apart else claim.probes) / claim.scales
    if apart:
        own = torch.eye(part.batch, dtype=w.dtype, device=w.device)
        w = w * own[..., None]
    found = part.products.times(part.spread(w, part.sources))
    residual = (found[..., part.lines] - claim.times(w)).abs()
    size = claim.magnitudes(w.abs())
    if apart:
        residual, size = (each * own[..., None] for each in (residual, size))
    allowed = epsilon * _ROUNDING * size
    if _is_noisy(residual, allowed):
        allowed = allowed + _LOUD * _noise(part, w, found[..., part.lines])
    holds = (residual <= allowed).all(dim=2).all(dim=0)  # not a number is not within
    relative = torch.where(residual > 0, residual / size, 0.0).nan_to_num(torch.inf)
    error = _concealed(residual, claim.influence)
    dims = part.products.dims
    worth = max(_SHARE * hides_mistakes(dims), _COARSE * epsilon * dims)
    if proposal.rest is not None:
        holds &= _vanishes(proposal, proposal.rest, found)
    return Proof(
        holds=holds & (error <= worth),
        residual=relative.amax(dim=(0, 2)),
        error=error,
        is_alone=_is_alone(part, found),
    )


def _is_noisy(residual: Tensor, allowed: Tensor) -> bool:
    """Return whether some lines are off by more than rounding usually is, and no more."""
    worst = torch.where(allowed > 0, residual / allowed, 0.0)
    return bool(((worst > 1) & (worst < _NOISY)).any())


def _noise(part: Block, w: Tensor, found: Tensor) -> Tensor:
    """Return how much A (c w) / c scatters about A w: rounding, whatever A is."""
    scatter = [(part.times(w * factor) / factor - found).abs() for factor in _FACTORS]
    return torch.stack(scatter).amax(dim=(0, 1))


def _concealed(residual: Tensor, influence: Tensor) -> Tensor:
    """Return how far S may be from A, as an error of log|det|, `(batch,)`.

    |log det(I + M)| <= e + e^2 for e = sum of the norms of M's lines, M = S^-1 (A - S).
    """
    line = residual.amax(dim=0) / _DELTA
    first = torch.where(line > 0, line * influence, 0.0).sum(dim=1)
    return first * (1.0 + first)


def _is_alone(part: Block, found: Tensor) -> Tensor:
    outside = torch.ones(part.products.dims, dtype=torch.bool, device=found.device)
    outside[part.lines] = False
    return (found[..., outside] == 0).all(dim=2).all(dim=0)


def _vanishes(proposal: Proposal[Claim], rest: Block, found: Tensor) -> Tensor:
    """Return on which samples the block of zeros between part and rest is exactly that.

    Beside it stand numbers that nobody looks at, as the slopes of a coupling layer's
    network: times them, whatever is not zero could be any size.
    """
    part = proposal.part
    if proposal.part_is_first == part.products.is_transposed:
        left = found[..., rest.lines]
    else:
        w = rest.random(1)
        left = part.products.times(rest.spread(w, rest.sources))[..., part.lines]
    return (left == 0).all(dim=2).all(dim=0)


# --- a block, and what is asked of it -------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Glimpse:
    """One column of A per sample: where it is not zero tells what A may be."""

    sources: Tensor  # which, `(batch,)`
    columns: Tensor  # `(batch, dims)`


@dataclass(frozen=True, kw_only=True)
class Block:
    """The lines and sources of A that are left, as many of one as of the other.

    `products` says what A is: J, or J transposed.
    """

    products: Products
    lines: Tensor  # ascending, `(n,)`
    sources: Tensor
    glimpses: tuple[Glimpse, ...]
    generator: torch.Generator

    @property
    def size(self) -> int:
        """How many lines are left."""
        return len(self.lines)

    @property
    def batch(self) -> int:
        """How many samples there are."""
        return self.products.batch

    @property
    def is_whole(self) -> bool:
        """Whether nothing of A is known yet."""
        return self.size == self.products.dims

    @cached_property
    def inputs(self) -> Tensor:
        """Which entries of x the block is about, ascending."""
        return self.lines if self.products.is_transposed else self.sources

    @cached_property
    def outputs(self) -> Tensor:
        """Which entries of y the block is about, ascending."""
        return self.sources if self.products.is_transposed else self.lines

    def times(self, w: Tensor) -> Tensor:
        """Return the block's product with `(batch, n)`, or with k of those."""
        found = self.products.times(self.spread(w, self.sources))
        return found if self.is_whole else found[..., self.lines]

    def times_transposed(self, v: Tensor) -> Tensor:
        """Return the transposed block's product, likewise."""
        whole = self.products.times_transposed(self.spread(v, self.lines))
        return whole[..., self.sources]

    def spread(self, w: Tensor, places: Tensor) -> Tensor:
        """Return w at its places among all dims, zero elsewhere."""
        if len(places) == self.products.dims:
            return w
        whole = w.new_zeros(*w.shape[:-1], self.products.dims)
        whole[..., places] = w
        return whole

    def random(self, count: int) -> Tensor:
        """Return random vectors, `(count, batch, n)`, that leave no entry out."""
        shape = (count, self.batch, self.size)
        return random_direction(shape, self.generator).to(self.lines.device)

    def without(self, lines: Tensor, sources: Tensor) -> Block:
        """Return what is left when some of the lines and sources are known."""
        return replace(
            self,
            lines=self.lines[~torch.isin(self.lines, lines)],
            sources=self.sources[~torch.isin(self.sources, sources)],
        )

    def within(self, lines: Tensor, sources: Tensor) -> Block:
        """Return the part of the block that is made of these lines and sources."""
        return replace(self, lines=lines.sort().values, sources=sources.sort().values)

    @cached_property
    def patterns(self) -> tuple[tuple[int, Tensor], ...]:
        """Where the known columns of this block are not zero, one per glimpse and sample.

        Each is the number of the source, and of the lines, within the block.
        """
        seen = []
        for glimpse in self.glimpses:
            columns = glimpse.columns[:, self.lines] != 0
            for source, column in zip(glimpse.sources, columns, strict=True):
                at = torch.searchsorted(self.sources, source)
                if at < self.size and self.sources[at] == source:
                    seen.append((int(at), column.nonzero()[:, 0]))
        return tuple(seen)
