"""What left a flow on the way there, given back to the way back in place of its draws.

Such a way back leads to the very point that the way there started from.
"""

from __future__ import annotations

from torch import Tensor

from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner


def given_back(runner: Runner, x: Tensor, y: Tensor) -> Frozen | None:
    """Return the draws of a way back that lead from y to where x came from, or None.

    What left stands at the end of y, and is drawn in the opposite order. The noise that
    the way there adds comes after: what leaves is told by a call of it.
    """
    drawn, there = Frozen(), Frozen()
    try:
        left = runner.run("forward", x, there).left
        runner.run("inverse", y, drawn)
    except FailedCallError:
        return None
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
