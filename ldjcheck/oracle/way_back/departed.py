"""Whether a way back that gets what left leads to the very point it came from.

Its ldj is to be minus the exact value there.
"""

from __future__ import annotations

import torch

from ldjcheck.oracle.derivatives.flat_map import has_whole_numbers
from ldjcheck.oracle.way_back.round_trip import gap_between
from ldjcheck.records import Side
from ldjcheck.running.departed import given_back
from ldjcheck.running.manner import Manner
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
