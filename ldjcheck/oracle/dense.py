"""The whole Jacobian, entry by entry: what serves where nothing simpler is proved.

D backward passes for D dims, and one LU factorisation per sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ldjcheck.oracle.diagonal import divisible, rounded_logs
from ldjcheck.oracle.jacobian import log_abs_det, peeled
from ldjcheck.oracle.proof import Claim, Proposal
from ldjcheck.tolerance import lost_below

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ldjcheck.oracle.block import Block
    from ldjcheck.records import Structure

_AT_ONCE = 256  # columns that are asked for together
_ZERO = (
    1e-13  # relative to the largest entry of the line: what rounding leaves of a zero
)
_INVERTED = 256  # lines: a larger matrix is not inverted to tell its errors
_ROUNDS = 6  # of scaling lines and sources in turn
_UNITS = 16.0  # of rounding per entry, elimination included
_SOLVED = 4  # right-hand sides that tell how large the inverse is


@dataclass(frozen=True, kw_only=True)
class Dense(Claim):
    """A matrix of which every entry is known."""

    entries: Tensor  # `(batch, n, n)`

    def times(self, w: Tensor) -> Tensor:
        """Return S w."""
        return torch.einsum("bij,kbj->kbi", self.entries, w)

    def times_transposed(self, v: Tensor) -> Tensor:
        """Return S^T v."""
        return torch.einsum("bij,kbi->kbj", self.entries, v)

    def magnitudes(self, w: Tensor) -> Tensor:
        """Return |S| w."""
        return torch.einsum("bij,kbj->kbi", self.entries.abs(), w)

    @cached_property
    def scales(self) -> Tensor:
        """The largest entries of the columns once the lines are scaled to one."""
        lines = divisible(self.entries.abs().amax(dim=2))
        return divisible((self.entries.abs() / lines[..., None]).amax(dim=1))

    @property
    def influence(self) -> Tensor:
        """Nothing: every entry was asked for, none is inferred."""
        return torch.zeros_like(self.entries[:, 0])

    @cached_property
    def rounding(self) -> Tensor:
        """That of pivots that stand alone, and of an LU factorisation of the rest."""
        found = [_rounding(each, self.epsilon) for each in self.entries.cpu().numpy()]
        return torch.tensor(found, dtype=torch.float64).to(self.entries.device)


def propose(block: Block, *, apart: bool = False) -> Proposal[Dense]:
    """Return the block as it is, column by column, of all samples at once or `apart`."""
    entries = columns_apart(block) if apart else columns(block)
    precision = str(block.products.x.dtype).removeprefix("torch.")
    sign, ldj = log_abs_det(entries, lost_below(block.size, precision))
    return Proposal[Dense](
        claim=Dense(
            structure=structure_of(entries),
            sign=sign,
            ldj=ldj,
            shares=None,
            epsilon=block.products.epsilon,
            entries=entries,
        ),
        part=block,
    )


def columns(block: Block, samples: Tensor | float = 1.0) -> Tensor:
    """Return all entries of a block of A, `(batch, n, n)`.

    Units of some samples may be scaled by zero, `(batch, 1)`.
    """
    size = block.size
    entries = torch.empty(
        block.batch, size, size, dtype=torch.float64, device=block.lines.device
    )
    for chunk in torch.arange(size, device=block.lines.device).split(_AT_ONCE):
        units = entries.new_zeros(len(chunk), block.batch, size)
        units[torch.arange(len(chunk)), :, chunk] = 1.0
        entries[:, :, chunk] = block.times(units * samples).permute(1, 2, 0)
    return entries


def columns_apart(block: Block) -> Tensor:
    """Return the own blocks of samples that influence each other, one after the other."""
    found = []
    for sample in range(block.batch):
        own = torch.zeros(block.batch, 1, device=block.lines.device)
        own[sample] = 1.0
        found.append(columns(block, own)[sample])
    return torch.stack(found)


def structure_of(entries: Tensor) -> Structure:
    """Return the simplest structure that all matrices have, rounding apart."""
    scale = entries.abs().amax(dim=2, keepdim=True)
    pattern = (entries.abs() > _ZERO * scale).any(dim=0).cpu().numpy()
    rows, columns = peeled(pattern)
    if len(rows) < len(pattern):
        return "block" if _falls_apart(pattern) else "dense"
    if pattern.sum() > len(rows):
        return "triangular"
    if rows != columns:
        return "permutation"
    return (
        "identity"
        if bool((entries.diagonal(dim1=1, dim2=2) == 1).all())
        else "diagonal"
    )


def _falls_apart(pattern: NDArray[np.bool_]) -> bool:
    """Return whether some lines and sources have nothing to do with the others."""
    lines = np.zeros(len(pattern), dtype=bool)
    lines[0] = True
    while True:
        sources = pattern[lines].any(0)
        reached = pattern[:, sources].any(1) | lines
        if (reached == lines).all():
            return not lines.all()
        lines = reached


def _rounding(matrix: NDArray[np.float64], epsilon: float) -> float:
    """Return how far rounding of the entries moves log|det|, to first order, nats.

    The sum over i, j of |S_ij (S^-1)_ji| units.
    """
    if not np.isfinite(matrix).all():
        return float("inf")
    rows, cols = peeled(matrix != 0)
    alone = torch.from_numpy(np.abs(matrix[rows, cols]))[None].log()
    known = float(rounded_logs(alone, epsilon))
    left = sorted({*range(len(matrix))} - {*rows})
    if not left:
        return known
    rest = matrix[left][:, sorted({*range(len(matrix))} - {*cols})]
    return known + _UNITS * epsilon * _sensitivity(_equilibrated(rest))


def _sensitivity(matrix: NDArray[np.float64]) -> float:
    """Return how far log|det| moves with relative errors of the entries.

    Of a large matrix the norms of it and its inverse tell, which is more.
    """
    size = len(matrix)
    try:
        if size <= _INVERTED:
            inverse = np.linalg.inv(matrix)
            return float((np.abs(inverse).T * np.abs(matrix)).sum())
        drawn = np.random.default_rng(0).choice((-1.0, 1.0), (size, _SOLVED))
        inverse = np.linalg.norm(np.linalg.solve(matrix, drawn)) / _SOLVED**0.5
    except np.linalg.LinAlgError:
        return float("inf")
    return float(inverse * np.linalg.norm(matrix))


def _equilibrated(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix with lines and sources scaled to about one (Ruiz, 2001).

    Scaling moves log|det| by sums of logarithms, which costs no precision.
    """
    for _ in range(_ROUNDS):
        size = np.abs(matrix)
        matrix = matrix / _root(size.max(1))[:, None] / _root(size.max(0))
    return matrix


def _root(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.where(sizes > 0, sizes, 1.0))
