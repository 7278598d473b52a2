"""Digits that a map loses on its way, although its output has them again.

A sigmoid near 1 keeps few digits of what went in, and a logit behind it makes a number of
the usual size of them. The Jacobian of the whole shows nothing of it, and both the exact
and the reported ldj are what rounding has left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ldjcheck.measure.runner import LayerRaisedError, UnexpectedReturnError
from ldjcheck.measure.trace import UntraceableError, record
from ldjcheck.tolerance import MACHINE_EPSILON, blurred

if TYPE_CHECKING:
    from ldjcheck.measure.runner import Runner
    from ldjcheck.records import Config, DirectionMeasured


def with_losses(
    runner: Runner, config: Config, side: DirectionMeasured
) -> DirectionMeasured:
    """Return the measurement with what its steps blur allowed, sample by sample."""
    assert side.allowed is not None
    try:
        trace = record(runner, config, side, doubled=side.dtype == "float64")
    except (LayerRaisedError, UnexpectedReturnError, UntraceableError):
        return side
    if trace is None or not trace.steps:
        return side
    blur = torch.stack([step.blur for step in trace.steps]).amax(dim=0)
    lost = blurred(side.x[0].numel(), blur, MACHINE_EPSILON[side.dtype])
    return replace(side, allowed=torch.maximum(side.allowed, lost))
