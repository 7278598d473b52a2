"""The largest and the smallest slopes of a map, along any direction."""

from __future__ import annotations

import torch
from torch import Tensor


def steepest(jacobians: Tensor) -> float:
    """Return the largest slope of all samples along any direction, and 1 at least.

    What cannot be told magnifies nothing.
    """
    if not bool(torch.isfinite(jacobians).all()):
        return 1.0
    return max(1.0, *(float(torch.linalg.matrix_norm(j, ord=2)) for j in jacobians))


def flattest(jacobians: Tensor) -> float:
    """Return the smallest slope of all samples along any direction, where it is known."""
    finite = (j for j in jacobians if bool(torch.isfinite(j).all()))
    slopes = (float(torch.linalg.matrix_norm(j, ord=-2)) for j in finite)
    return min(slopes, default=1.0)
