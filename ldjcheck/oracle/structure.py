"""The shape of a Jacobian, and how its log-determinant splits over the dims."""

from __future__ import annotations

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.jacobian import peeled
from ldjcheck.oracle.structures.dense import falls_apart, pattern_of
from ldjcheck.records import Structure


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
