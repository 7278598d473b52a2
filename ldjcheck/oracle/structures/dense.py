"""The whole Jacobian, entry by entry: what serves where nothing simpler is proved.

D backward passes for D dims, and one LU factorisation per sample.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ldjcheck.numerics.tolerance import lost_below
from ldjcheck.oracle.derivatives.jacobian import Pivots, log_abs_det, peeled
from ldjcheck.oracle.structures.diagonal import rounded_logs
from ldjcheck.oracle.structures.proof import Block, Claim, Proposal
from ldjcheck.records import Structure

_AT_ONCE = 64  # columns that are asked for together
_ZERO = 1e-13  # of the largest entry of the line: what rounding leaves of a zero
_INVERTED = 256  # lines: a larger matrix is not inverted to tell its errors
_ROUNDS = 6  # of scaling lines and sources in turn
_UNITS = 16.0  # of rounding per entry, elimination included
_SOLVED = 4  # right-hand sides that tell how large the inverse is


@dataclass(frozen=True, kw_only=True)
class Dense(Claim):
    """A matrix S of which every entry is known."""

    # `columns[b, j]` is that of source j: S transposed, `(batch, n, n)`
    columns: Tensor

    probes = 1  # it tells whether samples influence each other

    def times(self, w: Tensor) -> Tensor:
        """Return S w."""
        return _combined(w, self.columns)

    def times_transposed(self, v: Tensor) -> Tensor:
        """Return S^T v."""
        return _combined(v, self.columns.mT)

    def magnitudes(self, w: Tensor) -> Tensor:
        """Return |S| w."""
        return _combined(w, self.columns.abs())

    @property
    def scales(self) -> Tensor:
        """Ones: no entry has to be inferred."""
        return torch.ones_like(self.columns[:, 0])

    @property
    def influence(self) -> Tensor:
        """Nothing: every entry was asked for."""
        return torch.zeros_like(self.columns[:, 0])

    @cached_property
    def rounding(self) -> Tensor:
        """That of pivots that stand alone, and of an LU factorisation of the rest."""
        found = [rounding_of(each, self.epsilon) for each in self.columns.cpu().numpy()]
        return torch.tensor(found, dtype=torch.float64).to(self.columns.device)


ADense = TypeVar("ADense", bound=Dense)


def _combined(w: Tensor, rows: Tensor) -> Tensor:
    """Return the rows of each matrix added up with weights, `(k, batch, n)`."""
    return torch.stack([torch.einsum("bj,bji->bi", each, rows) for each in w])


def propose(block: Block, *, apart: bool = False) -> Proposal[Dense]:
    """Return the block as it is, column by column, of all samples at once or `apart`."""
    if apart:
        own = [_columns(block, sample)[sample] for sample in range(block.batch)]
        columns = torch.stack(own)
    else:
        columns = _columns(block)
    precision = str(block.products.x.dtype).removeprefix("torch.")
    return of_columns(Dense, block, columns, lost_below(block.size, precision))


def of_columns(
    kind: type[ADense], block: Block, columns: Tensor, least: float | None = None
) -> Proposal[ADense]:
    """Return that these are the columns, with their determinant; rank is lost below `least`."""
    pivots = peeled((columns.cpu().numpy() != 0).any(axis=0))
    sign, ldj = log_abs_det(columns, least, pivots=pivots)
    return Proposal(
        claim=kind(
            structure=structure_of(columns, pivots),
            sign=sign,
            ldj=ldj,
            shares=None,
            epsilon=block.products.epsilon,
            columns=columns,
        ),
        part=block,
    )


def _columns(block: Block, sample: int | None = None) -> Tensor:
    """Return all columns of a block of A, `(batch, n, n)`, of all samples or one."""
    size, device = block.size, block.lines.device
    found = torch.empty(size, block.batch, size, dtype=torch.float64, device=device)
    for start in range(0, size, _AT_ONCE):
        count = min(_AT_ONCE, size - start)
        units = torch.zeros(count, 1 if sample is None else block.batch, size)
        numbers = torch.arange(count)
        units[numbers, sample or 0, start + numbers] = 1.0
        units = units.double().to(device).expand(-1, block.batch, -1)
        found[start : start + count] = block.times(units)
    return found.transpose(0, 1)


def structure_of(columns: Tensor, pivots: Pivots) -> Structure:
    """Return the simplest structure that all matrices have, rounding apart.

    The pivots are those of the entries that are not zero at all.
    """
    pattern = pattern_of(columns)
    if len(pivots[0]) < len(pattern):
        pivots = peeled(pattern)
    if len(pivots[0]) < len(pattern):
        return "block" if falls_apart(pattern) else "dense"
    if pattern.sum() > len(pattern):
        return "triangular"
    if pivots[0] != pivots[1]:
        return "permutation"
    ones = bool((columns.diagonal(dim1=1, dim2=2) == 1).all())
    return "identity" if ones else "diagonal"


def pattern_of(columns: Tensor) -> NDArray[np.bool_]:
    """Return which entries are not zero in some matrix, rounding apart."""
    size = columns.abs()
    seen = (size > _ZERO * size.amax(dim=2, keepdim=True)).any(dim=0)
    found: NDArray[np.bool_] = seen.cpu().numpy()
    return found


def falls_apart(pattern: NDArray[np.bool_]) -> bool:
    """Return whether some lines and sources have nothing to do with the others."""
    lines = np.zeros(len(pattern), dtype=bool)
    lines[0] = True
    while True:
        sources = pattern[lines].any(0)
        reached = pattern[:, sources].any(1) | lines
        if (reached == lines).all():
            return not lines.all()
        lines = reached


def rounding_of(matrix: NDArray[np.float64], epsilon: float) -> float:
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
