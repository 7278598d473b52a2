"""Singular values of Jacobians: how steep a map is, and how far from losing a direction.

Rows and columns are scaled to one first, where rank or condition are asked: that changes
log|det| by sums of logarithms, and costs no precision.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def balanced(matrix: Tensor) -> Tensor:
    """Return the matrix with its rows, then its columns, scaled to a largest entry of one.

    A row or column of zeros stays one.
    """
    for dim in (1, 0):
        largest = matrix.abs().amax(dim=dim, keepdim=True)
        matrix = matrix / torch.where(largest > 0, largest, 1.0)
    return matrix


def singular_values(matrix: Tensor) -> Tensor | None:
    """Return those of the balanced matrix, the largest first; None where it is not finite."""
    if not torch.isfinite(matrix).all():
        return None
    values: Tensor = torch.linalg.svdvals(balanced(matrix))
    return values


def condition(matrix: Tensor) -> float:
    """Return the condition number of the balanced matrix; infinite where it is not known."""
    values = singular_values(matrix)
    if values is None or not bool(values[-1] > 0):
        return math.inf
    return float(values[0] / values[-1])


def steepest(jacobians: Tensor) -> float:
    """Return the largest slope of all samples along any direction, and 1 at least.

    What cannot be told magnifies nothing.
    """
    if not bool(torch.isfinite(jacobians).all()):
        return 1.0
    return max(1.0, *(float(torch.linalg.matrix_norm(j, ord=2)) for j in jacobians))


def flattest(jacobians: Tensor) -> float:
    """Return the smallest slope of all samples along any direction."""
    slopes = (float(torch.linalg.matrix_norm(j, ord=-2)) for j in jacobians)
    return min(slopes, default=1.0)
