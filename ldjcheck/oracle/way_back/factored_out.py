"""What left a flow on the way there, given back to the way back in place of its draws.

Such a way back leads to the very point that the way there started from, and its ldj is to
be minus the exact value there.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.autograd import has_whole_numbers
from ldjcheck.oracle.way_back.round_trip import gap_between
from ldjcheck.records import Side
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner


def miss(runner: Runner, inverse: Side, forward: Side) -> float:
    """Return by how much a way back that gets what left misses, noise counted; or infinity.

    It rounds away the noise that the way there had added.
    """
    off = gap_between(inverse.y, forward.x)
    if forward.exact.wrt != "noise":
        return off
    given = given_back(runner, forward.x, inverse.x)
    if given is None or not has_whole_numbers(inverse.y):
        return float("inf")
    noise = [d for d in given.draws if d.numel() == inverse.y.numel()]  # parts are less
    runner.run("inverse", inverse.x, given, Manner(see_rounding=True))
    rounded = [o for o in given.offsets if o.numel() == inverse.y.numel()]
    if not rounded or len(noise) != 1:
        return float("inf")
    away = -torch.stack([o.double().flatten() for o in rounded]).sum(0)
    return max(off, gap_between(away, noise[0].flatten()))


@on_failure(None)
def given_back(runner: Runner, x: Tensor, y: Tensor) -> Frozen | None:
    """Return the draws of a way back that lead from y to where x came from, or None.

    What left stands at the end of y, and is drawn in the opposite order. The noise that
    the way there adds comes after: what leaves is told by a call of it.
    """
    drawn, there = Frozen(), Frozen()
    left = runner.run("forward", x, there).left
    runner.run("inverse", y, drawn)
    rest, parts = y.detach().flatten(1), []
    kept = rest.shape[1] - left
    noise = iter(there.draws)
    for draw in drawn.draws:
        count = draw.numel() // len(y)
        if rest.shape[1] > kept:
            if draw.numel() != count * len(y) or not 0 < count <= rest.shape[1] - kept:
                return None
            parts.append(rest[:, rest.shape[1] - count :].reshape(draw.shape).to(draw))
            rest = rest[:, : rest.shape[1] - count]
            continue
        again = next(noise, None)
        if again is None or again.shape != draw.shape:
            return None
        parts.append(again)
    return Frozen(parts) if parts and rest.shape[1] == kept else None
