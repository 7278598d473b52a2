"""Maps that mix few entries at a time: J falls into small square blocks.

A 1x1 convolution mixes the channels of each pixel, a mixing along rows the pixels of each.
Columns that share no line are asked for together (Curtis, Powell and Reid, *On the
estimation of sparse Jacobian matrices*, 1974): blocks of size s take s products.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from ldjcheck.oracle.structures.diagonal import divisible
from ldjcheck.oracle.structures.permutation import numbered, parities
from ldjcheck.oracle.structures.proof import Block, Claim, Proposal

_SHARE = 0.25  # of the block: larger ones are not worth the products
_UNITS = 16.0  # of rounding per entry, elimination included
_SPLIT = 64  # entries: a larger block is not split over its dims


@dataclass(frozen=True, kw_only=True)
class Blocks(Claim):
    """Square blocks along groups of lines and sources, padded by ones to one size."""

    blocks: Tensor  # `(batch, groups, s, s)`
    # which line stands where in the blocks, -1 at a pad, `(batch, G * s)`
    lines: Tensor
    sources: Tensor  # which source, `(G * s,)`

    def times(self, w: Tensor) -> Tensor:
        """Return S w."""
        return self._multiplied(self.blocks, w)

    def times_transposed(self, v: Tensor) -> Tensor:
        """Return S^T v."""
        inside = _gathered(v, self.lines.expand(*v.shape[:-1], -1))
        found = torch.einsum(
            "bgij,kbgi->kbgj", self.blocks, inside.unflatten(-1, self.blocks.shape[1:3])
        )
        return _scattered(found.flatten(2), self.sources.expand(*v.shape[:-1], -1), v)

    def magnitudes(self, w: Tensor) -> Tensor:
        """Return |S| w."""
        return self._multiplied(self.blocks.abs(), w)

    def _multiplied(self, blocks: Tensor, w: Tensor) -> Tensor:
        inside = _gathered(w, self.sources.expand(*w.shape[:-1], -1))
        found = torch.einsum(
            "bgij,kbgj->kbgi", blocks, inside.unflatten(-1, blocks.shape[1:3])
        )
        return _scattered(found.flatten(2), self.lines.expand(*w.shape[:-1], -1), w)

    @cached_property
    def scales(self) -> Tensor:
        """The largest entries of the columns once the lines are scaled to one."""
        size = self.blocks.abs()
        lines = divisible(size.amax(dim=3))
        columns = divisible((size / lines[..., None]).amax(dim=2)).flatten(1)
        like = columns.new_empty(len(columns), int((self.sources >= 0).sum()))
        return _scattered(columns, self.sources.expand(len(columns), -1), like)

    @cached_property
    def _inverses(self) -> Tensor:
        """The inverses of the blocks, zero where there is none."""
        matrices = self.blocks.cpu().numpy().reshape(-1, *self.blocks.shape[2:])
        try:
            found = np.linalg.inv(matrices)
        except np.linalg.LinAlgError:
            found = np.zeros_like(matrices)
        return torch.from_numpy(found).to(self.blocks).reshape(self.blocks.shape)

    @cached_property
    def influence(self) -> Tensor:
        """The norms of the columns of the blocks of C S^-1."""
        scales = _gathered(self.scales, self.sources.expand(len(self.scales), -1))
        scaled = (
            scales.unflatten(-1, self.blocks.shape[1:3])[..., None] * self._inverses
        )
        return _scattered(scaled.norm(dim=2).flatten(1), self.lines, self.scales)

    @property
    def rounding(self) -> Tensor:
        """That of the entries and of elimination: the sum of |S_ij (S^-1)_ji|."""
        moved = (self.blocks.abs() * self._inverses.mT.abs()).flatten(1).sum(dim=1)
        return (
            _UNITS * self.epsilon * (moved + self.ldj.abs().nan_to_num(0.0, 0.0, 0.0))
        )


def propose(block: Block) -> Proposal[Blocks] | None:
    """Return that the block falls into smaller ones along some of the event's axes.

    A grouping of the sources is tried by one product: with w random and a number t for
    each group, A (t * w) / A w is t on the lines of the group, and no such number where
    a line hangs on two.
    """
    seen = [len(lines) for _, lines in block.patterns]
    if block.size in seen:
        return None
    least = max(seen, default=1)
    (w,) = block.random(1)
    plain: Tensor | None = None
    for labels in groupings(block, least):
        plain = block.times(w) if plain is None else plain
        groups = int(labels.max()) + 1
        drawn = torch.randperm(groups, generator=block.generator).to(labels.device)
        told = block.times((1.0 + drawn.double() / groups)[labels] * w) / plain
        lines = _group_of(told, drawn)
        fits = _fits(lines, labels)
        if fits.any():
            lines = torch.where(fits[:, None], lines, lines[fits][0])
            return Proposal(claim=_filled(block, labels, lines), part=block)
    return None


def groupings(block: Block, least: int) -> Iterator[Tensor]:
    """Yield ways to group the sources, `(n,)` labels each, those of small groups first.

    By all coordinates but those along some axes; where the shape of the event changes, by
    patches of 2 x 2; and by neighbours as many as were seen together.
    """
    event = block.products.source_event
    places = torch.unravel_index(block.sources, event)
    axes = range(len(event))
    ways = [
        [(places[axis], event[axis]) for axis in axes if axis not in mixed]
        for count in range(1, len(event))
        for mixed in combinations(axes, count)
    ]
    if event != block.products.line_event and len(event) >= 3:
        ways.append([(places[axis] // 2, event[axis]) for axis in axes[-2:]])
    if least > 1 and block.products.dims % least == 0:
        ways.append([(block.sources // least, block.products.dims)])
        many = block.products.dims // least
        ways.append([(block.sources % many, many)])
    found = []
    for kept in ways:
        label = torch.zeros_like(block.sources)
        for place, size in kept:
            label = label * size + place
        labels = label.unique(return_inverse=True)[1]
        largest = int(labels.bincount().max())
        if least <= largest <= _SHARE * block.size and largest > 1:
            found.append((largest, labels))
    yield from (labels for _, labels in sorted(found, key=lambda each: each[0]))


def _group_of(told: Tensor, drawn: Tensor) -> Tensor:
    """Return the group of each line whose ratio is its number, else -1, `(batch, n)`."""
    place, is_told = numbered(told, len(drawn))
    return torch.where(is_told, drawn.argsort()[place], -1)


def _fits(lines: Tensor, labels: Tensor) -> Tensor:
    """Return in which samples each group has as many lines as sources, `(batch,)`."""
    sizes = labels.bincount()
    found = [
        bool((row >= 0).all())
        and torch.equal(row.bincount(minlength=len(sizes)), sizes)
        for row in lines
    ]
    return torch.tensor(found, device=lines.device)


def _filled(block: Block, labels: Tensor, lines: Tensor) -> Blocks:
    """Return the blocks of known groups, each of their columns by one product for all."""
    rank = _ranks(labels)
    size = int(rank.max()) + 1
    slots = (int(labels.max()) + 1) * size
    colours = torch.nn.functional.one_hot(rank, size).T.double()
    rows = block.times(colours[:, None].expand(size, block.batch, -1)).permute(1, 2, 0)
    sources = torch.full((slots,), -1, device=labels.device)
    sources[labels * size + rank] = torch.arange(len(labels), device=labels.device)
    at = torch.stack([row * size + _ranks(row) for row in lines])
    every = torch.arange(block.size, device=at.device).expand_as(at)
    placed = torch.full((block.batch, slots), -1, device=at.device).scatter(
        1, at, every
    )
    pads = (
        torch.eye(size, dtype=torch.float64, device=at.device).repeat(slots // size, 1)
        * (sources < 0)[:, None]
    )
    filled = pads.expand(block.batch, -1, -1).scatter(
        1, at[..., None].expand(-1, -1, size), rows
    )
    return _with_determinant(filled.unflatten(1, (-1, size)), placed, sources, block)


def _with_determinant(
    blocks: Tensor, lines: Tensor, sources: Tensor, block: Block
) -> Blocks:
    # numpy takes one matrix after the other
    sign, logs = np.linalg.slogdet(blocks.cpu().numpy())
    inside = sources >= 0
    parity = parities(lines[:, inside]) * parities(sources[None, inside])
    device = blocks.device
    return Blocks(
        structure="block",
        sign=torch.from_numpy(sign.prod(axis=1)).to(device) * parity + 0.0,
        ldj=torch.from_numpy(logs.sum(axis=1)).to(device),
        shares=_shares(blocks, lines, sources, block.products.is_transposed),
        epsilon=block.products.epsilon,
        blocks=blocks,
        lines=lines,
        sources=sources,
    )


def _shares(
    blocks: Tensor, lines: Tensor, sources: Tensor, flipped: bool
) -> Tensor | None:
    """Return log|R_ii| of each block's own J = QR, by input, which sum to its log|det|."""
    if blocks.shape[-1] > _SPLIT:
        return None
    matrices = blocks.mT if flipped else blocks
    triangles = np.linalg.qr(matrices.cpu().numpy(), mode="r")
    with np.errstate(divide="ignore"):
        logs = np.log(np.abs(np.diagonal(triangles, axis1=2, axis2=3)))
    parts = torch.from_numpy(logs).to(blocks).flatten(1)
    at = lines if flipped else sources.expand(len(blocks), -1)
    return _scattered(parts, at, parts.new_empty(len(parts), int((sources >= 0).sum())))


def _ranks(labels: Tensor) -> Tensor:
    """Return how many earlier ones have the same label, `(n,)`."""
    order = labels.argsort(stable=True)
    sizes = labels.bincount()
    starts = (sizes.cumsum(0) - sizes)[labels[order]]
    ranks = torch.arange(len(labels), device=labels.device) - starts
    return torch.zeros_like(labels).scatter(0, order, ranks)


def _gathered(w: Tensor, places: Tensor) -> Tensor:
    """Return the entries at some places, and zero where the place is -1."""
    return w.gather(-1, places.clamp_min(0)).masked_fill(places < 0, 0.0)


def _scattered(values: Tensor, places: Tensor, like: Tensor) -> Tensor:
    """Return the values put at their places, those of place -1 dropped."""
    kept = values.masked_fill(places < 0, 0.0)
    return torch.zeros_like(like).scatter_add(-1, places.clamp_min(0), kept)
