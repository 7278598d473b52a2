"""The exact ldj of a way back by the inverse function theorem: minus that of the way there.

Where g(f(x)) = x, and g(f(x + h v)) = x + h v for a random v, the derivative of g at f(x)
times that of f at x is the identity along v, and so everywhere but for a chance of zero:
a matrix that is not zero takes no random vector to zero (Freivalds, 1977).
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import MACHINE_EPSILON
from ldjcheck.oracle.sides import judged_by
from ldjcheck.records import Side
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner

_STEP = 1e-3  # relative to the size of x
_ROUNDED = 2.0**14  # units in the last place that a way there and back may be off by
_SHARE = 1e-6  # of the step: what a deep map makes of rounding is no part of a slope


def by_inversion(runner: Runner, inverse: Side, forward: Side) -> Side | None:
    """Return a way back judged by the way there, where it is shown to undo it.

    None where it is not, or nothing is known of the way there.
    """
    if forward.exact.ldj is None or forward.exact.allowed is None:
        return None
    x = forward.x
    if not forward.exact.anchored or inverse.y.shape != x.shape:
        return None
    size = 1.0 + float(x.abs().max())
    least = max(_ROUNDED * MACHINE_EPSILON[forward.said.dtype], _SHARE * _STEP) * size
    off = _largest(inverse.y - x)
    if not off <= least:
        return None
    generator = torch.Generator().manual_seed(runner.seed)
    v = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)
    moved = x + _STEP * size * v
    try:
        y = runner.run("forward", moved, Frozen()).y.detach()
        back = runner.run("inverse", y, Frozen()).y.detach()
    except (LayerRaisedError, UnexpectedReturnError):
        return None
    if back.shape != x.shape or not _largest(back - moved) <= least:
        return None
    allowed = forward.exact.allowed + 10.0 * off * inverse.dims
    judged = judged_by(inverse, forward.exact, allowed)
    return replace(inverse, exact=replace(judged, anchored=True))


def _largest(off: Tensor) -> float:
    return float(off.double().abs().max())
