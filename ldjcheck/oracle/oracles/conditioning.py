"""Digits that a map loses on its way, although its output has them again.

A sigmoid near 1 keeps few digits of what went in, and a logit behind it makes a number of
the usual size of them. The Jacobian of the whole shows nothing of it, and both the exact
and the reported ldj are what rounding has left.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ldjcheck.numerics.tolerance import blurred
from ldjcheck.oracle.oracle import Oracle, Question
from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.records import Side
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.tape import Trace

_ADDS_UP = 1e-4  # digits are lost: the sum of the steps need not have them all


def _known(asked: Question) -> Side | None:
    """Return what is known with what its steps blur allowed, sample by sample.

    Asked where the numbers part, and only where the steps are the map: those of a solver,
    whose branches have no derivative, say nothing of it.
    """
    side, options = asked.side, asked.bench.options
    if not side.disagrees or side.exact.underived or side.exact.allowed is None:
        return None
    if side.exact.method in ("products", "composition"):
        return None  # too many dims for its steps to be looked at one by one
    if not asked.bench.losses or options.states_tolerance:
        return None
    doubled = side.said.dtype == "float64"
    try:
        trace = record(asked.runner, asked.probe, side, doubled=doubled)
    except (FailedCallError, UntraceableError):
        return None
    if trace is None or not trace.steps or not _is_followed(trace, side):
        return None
    blur = torch.stack([step.blur for step in trace.steps]).amax(dim=0)
    lost = blurred(side.dims, blur, side.said.dtype)
    allowed = torch.maximum(side.exact.allowed, lost)
    return replace(side, exact=replace(side.exact, allowed=allowed))


def _is_followed(trace: Trace, side: Side) -> bool:
    """Return whether the steps add up to the exact value, where that is known."""
    assert side.exact.ldj is not None
    known = torch.isfinite(side.exact.ldj)
    return torch.allclose(
        trace.step_sum[known], side.exact.ldj[known], rtol=_ADDS_UP, atol=_ADDS_UP
    )


ORACLE = Oracle(
    name="conditioning",
    summary="what the map's own steps lose to rounding is allowed",
    known=_known,
)
