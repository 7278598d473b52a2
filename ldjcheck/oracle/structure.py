"""The shape of a Jacobian, and how its log-determinant splits over the dims."""

from __future__ import annotations

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.jacobian import peeled
from ldjcheck.records import Structure

# relative to the largest entry of the row: what rounding leaves of a zero
_ZERO = 1e-13


def describe_structure(
    jacobian: Tensor,
) -> tuple[Structure, list[tuple[int, int]] | None]:
    """Return the structure common to all samples and, where triangular, its pivots.

    A pivot (i, j) says that output i is triangular in input j, in an order that is found
    by peeling off rows and columns with one entry left; the orders of rows and of columns
    may differ, as they do after a permutation.
    """
    scale = jacobian.abs().amax(dim=2, keepdim=True)
    pattern = (jacobian.abs() > _ZERO * scale).any(dim=0)
    rows, columns = peeled(pattern.cpu().numpy())
    if len(rows) == len(pattern) == pattern.shape[1]:
        pivots = list(zip(rows, columns, strict=True))
        diagonal = int(pattern.sum()) == len(pivots) and all(i == j for i, j in pivots)
        return ("diagonal" if diagonal else "triangular"), pivots
    return ("block" if _components(pattern) > 1 else "dense"), None


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


def _components(pattern: Tensor) -> int:
    """Return into how many independent groups of inputs and outputs the map falls."""
    rows, columns = pattern.shape
    group = list(range(rows + columns))

    def root(node: int) -> int:
        while group[node] != node:
            group[node] = group[group[node]]
            node = group[node]
        return node

    for i, j in pattern.nonzero().tolist():
        group[root(i)] = root(rows + j)
    return len({root(node) for node in range(rows + columns)})
