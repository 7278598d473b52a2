"""How far a layer's parameters can be moved and its ldj still be proved.

A deep flow that starts at the identity bears less than a layer alone: moved too far its
scales saturate or overflow, and rounding hides every mistake, or the layer refuses. Such
numbers say nothing of the layer, so it is looked at again nearer to how it was built.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ldjcheck.measure.configuration import is_apart, measure_config
from ldjcheck.records import DirectionMeasured
from ldjcheck.tolerance import hides_mistakes

if TYPE_CHECKING:
    from ldjcheck.measure.settle import Settled
    from ldjcheck.records import Config, ConfigMeasured, Unavailable

_NEARER = (1 / 3, 1 / 10, 1 / 30)  # of how far they were to be moved
_COARSER = 1e3  # float32 lets more hide, and is told of by a note


def nearer(
    settled: Settled, configs: tuple[Config, ...], first: ConfigMeasured
) -> tuple[tuple[Config, ...], str] | None:
    """Return configurations that the layer bears, and what to say; None to stay.

    `first` is what was measured at the first configuration. One that nothing can be
    proved at, however little is moved, stays as it is: then the layer is the reason. So
    does one for which the user has said what to allow.
    """
    options = settled.workshop.options
    if (options.atol, options.rtol) != (None, None):
        return None
    if not configs[0].draw or is_telling(first):
        return None
    for factor in _NEARER:
        scale = configs[0].scale * factor
        again = measure_config(
            settled.workshop, settled.calls, replace(configs[0], scale=scale)
        )
        if _proves(again):
            said = (
                f"moved by {scale:.2g}: moved by {configs[0].scale:g}, "
                f"{_why(first.forward)}"
            )
            return tuple(replace(c, scale=c.scale * factor) for c in configs), said
    return None


def is_telling(measured: ConfigMeasured) -> bool:
    """Return whether a mistake would show in what was measured, or one does."""
    shown = any(
        isinstance(side, DirectionMeasured) and _is_finite(side) and is_apart(side)
        for side in (measured.forward, measured.inverse)
    )
    return shown or _proves(measured)


def _proves(measured: ConfigMeasured) -> bool:
    """Return whether rounding leaves a mistake no room."""
    forward, inverse = measured.forward, measured.inverse
    if isinstance(forward, DirectionMeasured):
        return _leaves_no_room(forward)
    if forward.raised:
        return False
    return not isinstance(inverse, DirectionMeasured) or _leaves_no_room(inverse)


def _is_finite(side: DirectionMeasured) -> bool:
    return side.exact is not None and bool(torch.isfinite(side.exact).all())


def _leaves_no_room(side: DirectionMeasured) -> bool:
    """Return whether a mistake would show in half of the samples at least."""
    if not bool(torch.isfinite(side.y).all()):
        return False
    if side.jacobian is not None and not bool(torch.isfinite(side.jacobian).all()):
        return False
    if side.exact is None or side.allowed is None or side.estimated:
        return True  # what has no determinant has none nearer by either
    if not side.anchored:
        return False
    limit = hides_mistakes(side.x[0].numel())
    limit *= 1.0 if side.dtype == "float64" else _COARSER
    telling = torch.isfinite(side.exact) & (side.allowed <= limit)
    return 2 * int(telling.sum()) >= len(telling)


def _why(side: DirectionMeasured | Unavailable) -> str:
    if isinstance(side, DirectionMeasured):
        return "rounding hides the ldj"
    return f"it raises {side.why}"
