"""Numerical rank: which directions of a Jacobian are lost, and which are only squeezed.

What rounding leaves of a determinant that is zero is another number on every processor,
and may be zero itself. Rank is told by singular values: the computed ones are off by a
few units of rounding of the largest (Golub and Van Loan, *Matrix Computations*, section
5.4.1), so those below that are lost, whatever their last digits say.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import MACHINE_EPSILON, kept_above

_DIRECT = 256  # dims up to which singular values cost next to nothing
_DOUBTFUL = 1e8  # a condition from which on rounding may decide the sign
_ROUNDS = 8  # halve what is left of a difference in scale, each
_REVEALS = 1e-8  # a pivot of the LU factors, beside the largest, that rank is asked at


def loses_rank(matrix: Tensor, lost_below: float) -> bool:
    """Return whether a matrix `(dims, dims)` loses directions, and clearly keeps the rest.

    `lost_below` is the share of the largest singular value that rounding may leave. Where
    singular values fall off step by step, the last of them may be lost in rounding while
    the matrix is regular, as a Hilbert matrix is.
    """
    scaled = equilibrated(matrix)
    if scaled is None or not _may_lose(scaled):
        return False
    return loses(torch.linalg.svdvals(scaled), lost_below)


def loses(values: Tensor, lost_below: float) -> bool:
    """Return whether singular values, the largest first, fall into two kinds by a gap."""
    kept = kept_values(values, lost_below)
    if not len(kept):
        return True
    return len(kept) < len(values) and bool(
        kept[-1] > kept_above(lost_below) * values[0]
    )


def kept_values(values: Tensor, lost_below: float) -> Tensor:
    """Return the singular values, the largest first, that no rounding has made."""
    return values[values > lost_below * values[0]]


def is_clearly_regular(matrix: Tensor) -> bool:
    """Return whether rounding decides neither the sign of det J nor what J undoes."""
    return condition(matrix) < _DOUBTFUL


def clear_sign(matrix: Tensor) -> float | None:
    """Return the sign of det J, or None where rounding may decide it."""
    if not is_clearly_regular(matrix):
        return None
    return float(torch.linalg.slogdet(matrix).sign)


def has_both_signs(matrices: Iterable[Tensor]) -> bool:
    """Return whether det J is clearly positive of one matrix, and negative of another."""
    matrices = tuple(matrices)
    signs = [float(torch.linalg.slogdet(m).sign) for m in matrices]
    if not {-1.0, 1.0} <= {*signs}:
        return False  # at a hundredth of what singular values cost
    return {-1.0, 1.0} <= {*map(clear_sign, matrices)}


def condition(matrix: Tensor) -> float:
    """Return the condition number of a matrix whose rows and columns are scaled to one.

    Infinite where entries are not finite, of which nothing can be said.
    """
    values = singular_values(matrix)
    if values is None:
        return float("inf")
    return float(values[0] / values[-1]) if bool(values[-1] > 0) else float("inf")


def singular_values(matrix: Tensor) -> Tensor | None:
    """Return those of the matrix with rows and columns scaled to one, the largest first.

    None where entries are not finite.
    """
    scaled = equilibrated(matrix)
    if scaled is None:
        return None
    values: Tensor = torch.linalg.svdvals(scaled)
    return values


def log_abs_det_at_least(matrix: Tensor) -> float:
    """Return log|det| of a regular matrix, in nats, whose last digits may be lost.

    A singular value that drowned in rounding counts as one unit of it: never -inf.
    """
    values, scales = singular_values(matrix), log_scales(matrix)
    assert values is not None, "a regular matrix is finite"
    least = MACHINE_EPSILON["float64"] * values[0]
    return float(values.clamp_min(least).log().sum()) + scales


def equilibrated(matrix: Tensor) -> Tensor | None:
    """Return the matrix with the largest entry of each row, then column, scaled to one.

    A row or column of zeros stays one. None where entries are not finite. Scaling a dim
    by itself costs no digits, so it must not make another look small.
    """
    if not torch.isfinite(matrix).all():
        return None
    rows, columns = _scales(matrix)
    return matrix / rows / columns


def log_scales(matrix: Tensor) -> float:
    """Return by how much equilibrating a matrix lowers log|det|, in nats."""
    return sum(float(scales.log().sum()) for scales in _scales(matrix))


def _scales(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scales of rows `(dims, 1)`, and of columns `(1, dims)`.

    By square roots of the largest entries, in turns (Ruiz, *A scaling algorithm to
    equilibrate both rows and columns norms in matrices*, 2001), and by these in the end.
    """
    total = [torch.ones_like(matrix[:, :1]), torch.ones_like(matrix[:1])]
    for round_ in range(_ROUNDS + 1):
        for dim in (1, 0):
            largest = matrix.abs().amax(dim=dim, keepdim=True)
            scale = torch.where(largest > 0, largest, 1.0)
            scale = scale if round_ == _ROUNDS else scale.sqrt()
            total[1 - dim] = total[1 - dim] * scale
            matrix = matrix / scale
    return total[0], total[1]


def _may_lose(scaled: Tensor) -> bool:
    """Return whether rank may be lost: for large matrices, by their LU factors first.

    Singular values of thousands of dims cost many times what the factors do.
    """
    if len(scaled) <= _DIRECT:
        return True
    pivots = torch.linalg.lu_factor_ex(scaled).LU.diagonal().abs()
    return not bool(pivots.min() > _REVEALS * pivots.max())
