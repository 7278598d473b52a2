"""The shape of a Jacobian: how its log-determinant splits, and how far it stretches.

The condition of a map is by how much it stretches the one way, over how much the other.
What a way back does to rounding is about the condition times the machine epsilon.
"""

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.autograd import FrozenMap
from ldjcheck.oracle.derivatives.jacobian import peeled
from ldjcheck.oracle.derivatives.products import (
    NoProductsError,
    NoTensorError,
    UnequalDimsError,
    opened,
)
from ldjcheck.oracle.structures.dense import falls_apart, pattern_of
from ldjcheck.records import Side, Sides, Structure
from ldjcheck.running.bench import Bench
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner


def describe_structure(
    jacobian: Tensor,
) -> tuple[Structure, list[tuple[int, int]] | None]:
    """Return the structure common to all samples and, where triangular, its pivots.

    A pivot (i, j) says that output i is triangular in input j, in an order that is found
    by peeling off rows and columns with one entry left; the orders of rows and of columns
    may differ, as they do after a permutation.
    """
    pattern = pattern_of(jacobian)
    rows, columns = peeled(pattern)
    if len(rows) == len(pattern) == pattern.shape[1]:
        pivots = list(zip(rows, columns, strict=True))
        diagonal = pattern.sum() == len(pivots) and rows == columns
        return ("diagonal" if diagonal else "triangular"), pivots
    is_alone = not pattern.any(axis=0).all()  # an input that nothing hangs on
    return ("block" if is_alone or falls_apart(pattern) else "dense"), None


def shares(jacobian: Tensor, pivots: list[tuple[int, int]] | None) -> Tensor:
    """Return the dims' parts of log|det J|, `(batch, dims)`, in nats.

    log|J[i, j]| at the pivots where J is triangular, else log|R[i, i]| of J = QR, which
    sums to the same and reduces to the former when J is upper triangular.
    """
    if pivots is not None:
        parts = torch.empty(jacobian.shape[0], jacobian.shape[2], dtype=jacobian.dtype)
        for i, j in pivots:
            parts[:, j] = jacobian[:, i, j].abs().log()
        return parts
    return torch.stack([torch.linalg.qr(m).R.diagonal().abs().log() for m in jacobian])


def condition(jacobian: Tensor, pivots: list[tuple[int, int]] | None) -> float:
    """Return the worst condition number once rows and columns are scaled to one.

    Scaling changes log|det| by sums of logarithms, which cost no precision; a triangular
    Jacobian costs none at all, so its condition counts as one.
    """
    if pivots is not None or jacobian.shape[1] > 256:
        return 1.0
    worst = 1.0
    for matrix in jacobian:
        scaled = matrix / matrix.abs().amax(dim=1, keepdim=True).clamp_min(1e-300)
        scaled = scaled / scaled.abs().amax(dim=0, keepdim=True).clamp_min(1e-300)
        if torch.isfinite(scaled).all():
            worst = max(worst, float(torch.linalg.cond(scaled)))
    return worst


# --- the condition --------------------------------------------------------------------

_ROUNDS = 4  # of the power method: a quarter too little is as good a warning


def measure_condition(bench: Bench, sides: Sides) -> float | None:
    """Return the largest condition number of J, in the 2-norm, over a batch.

    Where all entries are known it is the ratio of the extreme singular values. Else both
    are met by products of the map there and of the map back (power method), from below.
    None where neither is possible, or samples meet: then there is no J of each.
    """
    forward, inverse = sides.forward, sides.inverse
    allowed = forward.exact.allowed
    if allowed is not None and not allowed.isfinite().all():
        return None
    jacobians = forward.finite_jacobians
    if jacobians is not None and forward.exact.is_square and len(jacobians):
        slopes = torch.linalg.svdvals(jacobians.nan_to_num())
        return float((slopes[:, 0] / slopes[:, -1]).max())
    if not (forward.answered and inverse.answered):
        return None
    runner, _, generator = bench.ready(sides.probe)
    try:
        there, back = (_stretch(runner, side, generator) for side in (forward, inverse))
    except (NoProductsError, NoTensorError, UnequalDimsError):
        return None
    return float((there * back).max())


def _stretch(runner: Runner, side: Side, generator: torch.Generator) -> Tensor:
    """Return about the largest singular value of J at each sample, `(batch,)`."""
    noise = Frozen(list(side.said.given))
    map_ = FrozenMap(runner=runner, direction=side.direction, x=side.x, frozen=noise)
    w = torch.randn(len(side.x), side.dims, generator=generator, dtype=torch.float64)
    products, image = opened(map_, map_.origin, w)
    size = torch.zeros(len(w), dtype=torch.float64)
    for _ in range(_ROUNDS):
        w = products.times_transposed(image / _norm(image))
        size = torch.linalg.vector_norm(w, dim=1)
        image = products.times(w / _norm(w))
    return size


def _norm(v: Tensor) -> Tensor:
    size: Tensor = torch.linalg.vector_norm(v, dim=1, keepdim=True)
    return size.clamp_min(1e-300)
