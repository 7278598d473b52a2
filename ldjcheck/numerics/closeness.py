"""When two answers of a layer are one answer, rounding apart."""

import torch
from torch import Tensor

ROUNDING = 1e-9
"""Relative, and absolute near zero: what float64 leaves of numbers that are one."""


def same(a: Tensor | None, b: Tensor | None, within: float = ROUNDING) -> bool:
    """Return whether two answers have one shape and agree, NaN with NaN, entry by entry.

    `within` is relative, and absolute near zero. No answer is the same as no answer.
    """
    if a is None or b is None:
        return a is b
    if a.shape != b.shape:
        return False
    a, b = a.detach().double(), b.detach().double()
    return torch.allclose(a, b, rtol=within, atol=within, equal_nan=True)
