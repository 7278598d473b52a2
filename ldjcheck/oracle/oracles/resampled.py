"""Ways back that make up what left a flow: they draw it anew, from its density.

What comes out is another point, whose kept part is the one that was given. There the exact
value is minus the forward one.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import MACHINE_EPSILON, round_trip_allowed
from ldjcheck.oracle.direction import judged_by, measure_direction
from ldjcheck.oracle.noise import steepest
from ldjcheck.oracle.question import Question
from ldjcheck.oracle.way_back.preimage import miss, residual_allowed
from ldjcheck.records import Side
from ldjcheck.records.side import RoundTrip
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner

_TRIES = 3
_SCATTERS = 8.0  # three tries see a fraction of how far rounding can go
_UNKNOWN = 1e-6  # that a kept part may be off by, where no Jacobian tells
_ANOTHER = 1e-3  # a kept part that is off by more is another point's


def known(asked: Question) -> Side | None:
    """Return the exact value at the point that the way back made up.

    Where it got what had left, that is the point of the way there. Else the round trip
    starts from the kept part, and of a flow that draws noise on the way there nothing is
    known: the noise belongs to the point, and is drawn anew.
    """
    inverse, runner, options = asked.side, asked.runner, asked.bench.options
    if not asked.is_back or not asked.bench.calls.departures:
        return None
    try:
        if asked.other.exact.is_finite and asked.other.exact.anchored:
            off = miss(runner, inverse, asked.other)
            if off <= _UNKNOWN:
                return _at_the_start(inverse, asked.other, off)
        again = runner.run("forward", inverse.y, Frozen())
        there = measure_direction(
            runner, "forward", inverse.y, options, behaviour=False
        )
    except FailedCallError:
        return _unknown(inverse, 0)
    total, exact = inverse.dims, there.exact
    by_parts = exact.method in ("products", "composition")
    if exact.ldj is None or not exact.anchored:
        return _unknown(inverse, again.left)
    if exact.jacobian is None and not by_parts:
        return _unknown(inverse, again.left)
    if exact.wrt == "noise" or there.y[0].numel() != total:
        return _unknown(inverse, again.left)
    kept = slice(0, total - again.left)
    gap = (there.y.flatten(1) - inverse.x.flatten(1))[:, kept].double().abs()
    off = float(gap.max()) if bool(torch.isfinite(gap).all()) else float("inf")
    dtype = "float32" if runner.constants else inverse.said.dtype
    allowed = _UNKNOWN
    if exact.jacobian is not None:
        allowed = round_trip_allowed(
            x=float(inverse.x.abs().max()),
            y=float(inverse.y.abs().max()),
            contraction=1.0 / steepest(exact.jacobian),
            dtype=dtype,
        )
    trip = RoundTrip(off=off, allowed=allowed)
    if off > _ANOTHER:
        return replace(_unknown(inverse, again.left), round_trip=trip)
    wobble = _with_wobble(runner, inverse, there, again.taken)
    judged = judged_by(inverse, exact, wobble)
    return replace(inverse, exact=replace(judged, anchored=True), round_trip=trip)


def _with_wobble(
    runner: Runner, inverse: Side, there: Side, taken: Tensor | None
) -> Tensor | None:
    """Return the allowed difference with what rounding at the point makes of the ldj.

    The way back knows the draw that it made up, the way there has only the point: where
    the draw is small beside it, the last digit of the point changes its log-density.
    """
    if there.exact.allowed is None or taken is None:
        return there.exact.allowed
    generator = torch.Generator().manual_seed(0)
    allowed = there.exact.allowed
    for _ in range(_TRIES):
        step = torch.randn(inverse.y.shape, generator=generator, dtype=torch.float64)
        hair = 4.0 * MACHINE_EPSILON[inverse.said.dtype] * step.to(inverse.y)
        near = runner.run("forward", inverse.y * (1.0 + hair), Frozen()).taken
        if near is not None:
            change = (near - taken).double().abs()
            allowed = torch.maximum(allowed, there.exact.allowed + _SCATTERS * change)
    return allowed


def _at_the_start(inverse: Side, forward: Side, off: float) -> Side:
    """Return what is known of a way back that leads to where the way there started."""
    allowed, _ = forward.exact.bounds
    allowed = allowed + residual_allowed(off, forward.dims)
    judged = judged_by(inverse, forward.exact, allowed)
    trip = RoundTrip(off=off, residual=off, allowed=_UNKNOWN)
    return replace(inverse, exact=replace(judged, anchored=True), round_trip=trip)


def _unknown(inverse: Side, left: int) -> Side:
    """Return what is known of a map from the kept part alone."""
    jacobian = inverse.exact.jacobian
    if jacobian is not None and not bool(jacobian.isfinite().all()):
        jacobian = None  # at a point that it drew itself, and that is no fault
    if jacobian is not None and left:
        jacobian = jacobian[:, :, : jacobian.shape[2] - left]
    return replace(
        inverse, exact=replace(inverse.exact, ldj=None, allowed=None, jacobian=jacobian)
    )
