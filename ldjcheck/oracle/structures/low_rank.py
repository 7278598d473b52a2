"""Maps that move all entries alike, and some few combinations of them otherwise.

Planar, radial and Sylvester flows: J = a I + U V^T with few columns in U. By Sylvester's
theorem det J = a^n det(I + V^T U / a), a matrix as small as the rank.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ldjcheck.oracle.derivatives.products import NoProductsError
from ldjcheck.oracle.structures.proof import Block, Claim, Proposal

Matrix = NDArray[np.float64]

_LEAST = 256  # lines: of fewer all entries are soon worked out
_FIRST = 4  # random columns that are looked at first
_PART = 64  # of a block of n lines, n / 64 columns are looked at, and no more
_MOST = 64
_SPARE = 2  # columns more than the rank, that tell it is no more
_ZERO = 1e-12  # of the size of the products: a singular value that rounding has left
_SAME = 1e-7  # relative: eigenvalues that are one and the same
_UNITS = 16.0


@dataclass(frozen=True, kw_only=True)
class LowRank(Claim):
    """S = a I + Q B^T, where the columns of Q are orthonormal, or zero."""

    multiple: Tensor  # a, `(batch, 1)`
    basis: Tensor  # Q, `(batch, n, r)`
    others: Tensor  # B, `(batch, n, r)`

    def times(self, w: Tensor) -> Tensor:
        """Return a w + Q (B^T w)."""
        return self.multiple * w + _outer(self.basis, self.others, w)

    def times_transposed(self, v: Tensor) -> Tensor:
        """Return a v + B (Q^T v)."""
        return self.multiple * v + _outer(self.others, self.basis, v)

    def magnitudes(self, w: Tensor) -> Tensor:
        """Return |a| w + |Q| (|B|^T w)."""
        moved = _outer(self.basis.abs(), self.others.abs(), w)
        return self.multiple.abs() * w + moved

    @property
    def scales(self) -> Tensor:
        """|a| of all columns."""
        return self.multiple.abs().expand(self.basis.shape[:2])

    @cached_property
    def _solved(self) -> Tensor:
        """(a I + B^T Q)^-1 B^T, transposed, `(batch, n, r)`."""
        small = small_matrix(self.multiple, self.basis, self.others)
        found = [
            np.linalg.lstsq(matrix, right.T, rcond=None)[0].T
            for matrix, right in zip(
                small.cpu().numpy(), self.others.cpu().numpy(), strict=True
            )
        ]
        return torch.from_numpy(np.stack(found)).to(self.basis)

    @cached_property
    def influence(self) -> Tensor:
        """The norms of the columns of a S^-1 = I - Q (a I + B^T Q)^-1 B^T."""
        along = (self.basis * self._solved).sum(dim=2)
        beside = (self._solved**2).sum(dim=2)
        return (1.0 - 2.0 * along + beside).clamp_min(0.0).sqrt()

    @property
    def rounding(self) -> Tensor:
        """That of a, n times, and of the small determinant."""
        moved = (self.basis.abs() * self._solved.abs()).sum(dim=(1, 2))
        size = self.basis.shape[1] + moved + self.ldj.abs().nan_to_num(0.0, 0.0, 0.0)
        return _UNITS * self.epsilon * size


def propose(block: Block) -> Proposal[LowRank] | None:
    """Return that the block is a multiple of the identity but for a matrix of low rank.

    The range of A - a I is told from its products with a few random columns, of which
    there must be more than its rank.
    """
    if block.size < _LEAST or not torch.equal(block.inputs, block.outputs):
        return None
    w = block.random(0)
    images = w
    for count in sorted({_FIRST, max(_FIRST, min(_MOST, block.size // _PART))}):
        more = block.random(count - len(w))
        w = torch.cat([w, more])
        images = torch.cat([images, block.times(more)])
        if not torch.isfinite(images).all():
            return None
        pairs = zip(_matrices(w), _matrices(images), strict=True)
        first = _range(*next(pairs))
        if first is not None:
            return _of_ranges(
                block, [first, *(_range(*each) or first for each in pairs)]
            )
    return None


def small_matrix(multiple: Tensor, basis: Tensor, others: Tensor) -> Tensor:
    """Return a I + B^T Q, `(batch, r, r)`."""
    rank = basis.shape[2]
    identity = torch.eye(rank, dtype=basis.dtype, device=basis.device)
    return multiple[..., None] * identity + others.mT @ basis


def _matrices(vectors: Tensor) -> NDArray[np.float64]:
    """Return the vectors of each sample as columns, `(batch, n, count)`."""
    found: NDArray[np.float64] = vectors.permute(1, 2, 0).cpu().numpy()
    return found


def _range(w: Matrix, images: Matrix) -> tuple[float, Matrix] | None:
    """Return a, and an orthonormal basis of the range of A - a I, if it is small.

    `(n, count)` both, and A w = images.
    """
    for multiple in (1.0, _repeated(w, images)):
        if not multiple:
            continue
        basis, still = _ranged(multiple, w, images)
        if basis.shape[1] > w.shape[1] - _SPARE:
            continue
        # What A - a I takes to zero, A multiplies by a: all its entries tell how much.
        calm, there = w @ still, images @ still
        better = float((calm * there).sum() / (calm * calm).sum())
        if abs(better - multiple) > _ZERO * abs(multiple):
            multiple = better
        return multiple, _ranged(multiple, w, images)[0]
    return None


def _ranged(multiple: float, w: Matrix, images: Matrix) -> tuple[Matrix, Matrix]:
    """Return the range of A - a I, and the combinations of w that it takes to zero."""
    left, values, right = np.linalg.svd(images - multiple * w, full_matrices=False)
    size = np.linalg.norm(images) + abs(multiple) * np.linalg.norm(w)
    rank = int((values > _ZERO * size).sum())
    return left[:, :rank], right[rank:].T


def _repeated(w: Matrix, images: Matrix) -> float | None:
    """Return the number that is an eigenvalue of A time and again, or None.

    Seen through few columns it is one as many times as those are more than the rank.
    """
    seen = np.linalg.eigvals(np.linalg.lstsq(w, images, rcond=None)[0])
    for value in seen[np.abs(seen.imag) <= _SAME * np.abs(seen)].real:
        alike = np.abs(seen - value) <= _SAME * abs(value)
        if alike.sum() >= _SPARE:
            return float(seen[alike].real.mean())
    return None


def _of_ranges(
    block: Block, found: list[tuple[float, Matrix]]
) -> Proposal[LowRank] | None:
    """Return the matrix with these multiples and ranges: the other side by as many products."""
    rank = max(1, *(basis.shape[1] for _, basis in found))
    basis = torch.zeros(block.batch, block.size, rank, dtype=torch.float64)
    for sample, (_, each) in enumerate(found):
        basis[sample, :, : each.shape[1]] = torch.from_numpy(each)
    basis = basis.to(block.lines.device)
    multiple = torch.tensor([[a] for a, _ in found], dtype=torch.float64).to(basis)
    try:
        seen = block.times_transposed(basis.permute(2, 0, 1))
    except NoProductsError:
        return None
    others = seen.permute(1, 2, 0) - multiple[..., None] * basis
    others = others * (basis != 0).any(dim=1, keepdim=True)
    small = small_matrix(torch.ones_like(multiple), basis, others / multiple[..., None])
    sign, logs = np.linalg.slogdet(small.cpu().numpy())
    size = block.size
    return Proposal(
        claim=LowRank(
            structure="low-rank",
            sign=torch.from_numpy(sign).to(basis) * multiple[:, 0].sign() ** size,
            ldj=torch.from_numpy(logs).to(basis) + size * multiple[:, 0].abs().log(),
            shares=None,
            epsilon=block.products.epsilon,
            multiple=multiple,
            basis=basis,
            others=others,
        ),
        part=block,
    )


def _outer(left: Tensor, right: Tensor, w: Tensor) -> Tensor:
    """Return L (R^T w), `(k, batch, n)`."""
    inner = torch.einsum("bnr,kbn->kbr", right, w)
    return torch.einsum("bnr,kbr->kbn", left, inner)
