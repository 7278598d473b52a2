"""What lies between x and where the way back leads, when neither of them is to blame.

A map that repeats itself is one to one on a stretch only.

A map that drops bits before it adds noise has one image for several whole numbers, and a
way back leads to one of these. One that adds noise to real numbers is undone up to that
noise: x lies within what noise of any size would bring back.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ldjcheck.numerics.closeness import same
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner

_SAME = 1e-8
_TURNS = (1, -1, 2, -2)  # a clamp ends the same on one side only, and not for long
_WHOLE = 1e-6  # how far from a whole number of periods a way back may land


@on_failure(False)
def has_one_image(runner: Runner, x: Tensor, back: Tensor) -> bool:
    """Return whether the map takes x and back to one point, under the same noise.

    It then has to tell the points themselves apart: one image for all would say nothing.
    """
    if back.shape != x.shape or same(back, x):
        return False
    if x.unique().numel() > 1 and back.unique().numel() == 1:
        return False
    noise = Frozen()
    there = runner.run("forward", x, noise).y.detach()
    again = runner.output("forward", back.detach().to(x.dtype))
    return bool(noise.draws) and same(again, there)


@on_failure(None)
def beyond_noise(runner: Runner, x: Tensor) -> float | None:
    """Return how far x lies outside of what comes back without noise and with all of it.

    Only noise from 0 to 1 has such ends; None of any other.
    """
    drawn = Frozen()
    runner.run("forward", x, drawn)
    noise = [d for d in drawn.draws if d.is_floating_point()]
    if not noise or not all(bool(((d >= 0) & (d <= 1)).all()) for d in noise):
        return None
    ends = []
    for end in (0.0, 1.0):
        at = Frozen([torch.full_like(d, end) for d in drawn.draws])
        y = runner.run("forward", x, at).y.detach()
        ends.append(runner.output("inverse", y).double())
    low, high = torch.minimum(*ends), torch.maximum(*ends)
    if low.shape != x.shape:
        return None
    beyond = float(torch.maximum(low - x, x - high).clamp(min=0.0).max())
    return beyond if beyond < torch.inf else None


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
