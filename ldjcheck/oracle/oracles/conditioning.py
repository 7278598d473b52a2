"""Digits that a map loses on its way, although its output has them again.

A sigmoid near 1 keeps few digits of what went in, and a logit behind it makes a number of
the usual size of them. The Jacobian of the whole shows nothing of it, and both the exact
and the reported ldj are what rounding has left.
"""

from dataclasses import replace

import torch

from ldjcheck.numerics.tolerance import blurred
from ldjcheck.oracle.question import Question
from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.records import Side
from ldjcheck.running.failed_calls import on_failure

_ADDS_UP = 1e-4  # digits are lost: the sum of the steps need not have them all


@on_failure(None, UntraceableError)
def known(asked: Question) -> Side | None:
    """Return what is known with what its steps blur allowed, sample by sample.

    Asked where the numbers part, and only where the steps are the map: those of a solver,
    whose branches have no derivative, say nothing of it.
    """
    side, exact = asked.side, asked.side.exact
    if not side.disagrees or exact.underived:
        return None
    if exact.ldj is None or exact.allowed is None:
        return None
    if exact.method in ("products", "composition"):
        return None  # too many dims for its steps to be looked at one by one
    if not asked.bench.losses or asked.bench.options.states_tolerance:
        return None
    doubled = side.said.dtype == "float64"
    trace = record(asked.runner, asked.probe, side, doubled=doubled)
    if trace is None or not trace.steps:
        return None
    told = torch.isfinite(exact.ldj)
    summed, ldj = trace.step_sum()[told], exact.ldj[told]
    if not torch.allclose(summed, ldj, rtol=_ADDS_UP, atol=_ADDS_UP):
        return None  # the steps are not the map
    blur = torch.stack([step.blur for step in trace.steps]).amax(dim=0)
    lost = blurred(side.dims, blur, side.said.dtype)
    return replace(
        side, exact=replace(exact, allowed=torch.maximum(exact.allowed, lost))
    )
