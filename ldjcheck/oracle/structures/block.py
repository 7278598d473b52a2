"""A square block of the Jacobians, whose determinant is still to be known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.jacobian import random_direction
from ldjcheck.oracle.derivatives.products import Products


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
        return Block(
            products=self.products,
            lines=self.lines[~torch.isin(self.lines, lines)],
            sources=self.sources[~torch.isin(self.sources, sources)],
            glimpses=self.glimpses,
            generator=self.generator,
        )

    def within(self, lines: Tensor, sources: Tensor) -> Block:
        """Return the part of the block that is made of these lines and sources."""
        return Block(
            products=self.products,
            lines=lines.sort().values,
            sources=sources.sort().values,
            glimpses=self.glimpses,
            generator=self.generator,
        )

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
