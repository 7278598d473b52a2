"""Digits that a map loses on its way, although its output has them again.

A sigmoid near 1 keeps few digits of what went in, and a logit behind it makes a number of
the usual size of them. The Jacobian of the whole shows nothing of it, and both the exact
and the reported ldj are what rounding has left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.tolerance import MACHINE_EPSILON, blurred

if TYPE_CHECKING:
    from ldjcheck.records import Probe, Side
    from ldjcheck.running.runner import Runner
    from ldjcheck.tape import Trace

_ADDS_UP = 1e-4  # digits are lost: the sum of the steps need not have them all


def with_losses(runner: Runner, probe: Probe, side: Side) -> Side:
    """Return the measurement with what its steps blur allowed, sample by sample.

    Only where the steps are the map: those of a solver, whose branches have no derivative,
    say nothing of it.
    """
    assert side.exact.allowed is not None
    try:
        trace = record(runner, probe, side, doubled=side.said.dtype == "float64")
    except (LayerRaisedError, UnexpectedReturnError, UntraceableError):
        return side
    if trace is None or not trace.steps or not _is_followed(trace, side):
        return side
    blur = torch.stack([step.blur for step in trace.steps]).amax(dim=0)
    lost = blurred(side.dims, blur, MACHINE_EPSILON[side.said.dtype])
    return replace(
        side, exact=replace(side.exact, allowed=torch.maximum(side.exact.allowed, lost))
    )


def _is_followed(trace: Trace, side: Side) -> bool:
    """Return whether the steps add up to the exact value, where that is known."""
    assert side.exact.ldj is not None
    known = torch.isfinite(side.exact.ldj)
    return torch.allclose(
        trace.step_sum[known], side.exact.ldj[known], rtol=_ADDS_UP, atol=_ADDS_UP
    )
