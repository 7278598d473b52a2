"""Maps that repeat themselves, and so are one to one on a stretch only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

_SAME = 1e-8
_WHOLE = 1e-6  # how far from a whole number of periods a way back may land


def period_of(
    around: Callable[[Tensor], Tensor], x: Tensor, back: Tensor
) -> float | None:
    """Return the period of a map whose way back leads to another point, or None.

    `around` goes there and back, and `back` is where it leads from x, both `(batch,
    *event)`. The gaps must all be multiples of one number, and the way must end the same
    for every sample when it is added to any entry that shows a gap: what is merely wrong
    does not repeat itself.
    """
    if back.shape != x.shape or not torch.isfinite(back).all():
        return None
    gap = (x - back).detach().double().reshape(len(x), -1)
    off = gap.abs() > _WHOLE * (1.0 + x.detach().double().reshape(len(x), -1).abs())
    if not off.any():
        return None
    period = float(gap[off].abs().min())
    turns = gap / period
    if float((turns - turns.round()).abs().max()) > _WHOLE:
        return None
    for entry in off.any(dim=0).nonzero().flatten().tolist():
        step = torch.zeros_like(gap)
        step[:, entry] = period
        moved = around(x + step.reshape(x.shape).to(x))
        if moved.shape != back.shape or not torch.allclose(
            moved.double(), back.double(), rtol=_SAME, atol=_SAME
        ):
            return None
    return period
