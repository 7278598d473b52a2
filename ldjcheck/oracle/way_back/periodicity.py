"""Maps that repeat themselves, and so are one to one on a stretch only."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ldjcheck.numerics.closeness import same

_SAME = 1e-8
_TURNS = (1, -1, 2, -2)  # a clamp ends the same on one side only, and not for long
_WHOLE = 1e-6  # how far from a whole number of periods a way back may land


def period_of(
    around: Callable[[Tensor], Tensor], x: Tensor, back: Tensor
) -> float | None:
    """Return the period of a map whose way back leads to another point, or None.

    `around` goes there and back, and `back` is where it leads from x, both `(batch,
    *event)`. An entry's gaps must all be multiples of one number, and the way must end the
    same for every sample when that is added to the entry: what is merely wrong does not
    repeat itself. Other entries may depend on the turns that one has made.
    """
    if back.shape != x.shape or not torch.isfinite(back).all():
        return None
    flat = x.detach().double().reshape(len(x), -1)
    gap = flat - back.detach().double().reshape(len(x), -1)
    off = gap.abs() > _WHOLE * (1.0 + flat.abs())
    found = []
    for entry in off.any(dim=0).nonzero().flatten().tolist():
        period = float(gap[off[:, entry], entry].abs().min())
        turns = gap[:, entry] / period
        if float((turns - turns.round()).abs().max()) > _WHOLE:
            continue
        step = torch.zeros_like(gap)
        step[:, entry] = period
        turned = (around(x + n * step.reshape(x.shape).to(x)) for n in _TURNS)
        if all(_ends_the_same(moved, back, entry) for moved in turned):
            found.append(period)
    return min(found, default=None)


def _ends_the_same(moved: Tensor, back: Tensor, entry: int) -> bool:
    if moved.shape != back.shape:
        return False
    a, b = (each.reshape(len(back), -1)[:, entry] for each in (moved, back))
    return same(a, b, _SAME)
