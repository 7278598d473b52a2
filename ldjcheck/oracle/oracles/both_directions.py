"""Both directions of a layer at one probe: what they say, and what the oracles know."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.calling.domains import draw
from ldjcheck.oracle.direction import measured_side
from ldjcheck.oracle.oracles import (
    centred,
    conditioning,
    dropped_bits,
    inverse_function,
    resampled,
    rounded_reals,
)
from ldjcheck.oracle.question import Oracle, Question, answered
from ldjcheck.oracle.way_back import preimage
from ldjcheck.oracle.way_back.preimage import NEAR, way_back
from ldjcheck.oracle.way_back.round_trip import is_meant, round_trip_of
from ldjcheck.records import Calls, Domain, Probe, Side, Sides, TimeIsUpError
from ldjcheck.running.bench import Bench

OF_ONE: tuple[Oracle, ...] = (centred.known, conditioning.known)
"""Asked of each direction once its derivative is known."""

OF_THE_WAY_BACK: tuple[Oracle, ...] = (
    resampled.known,
    dropped_bits.known,
    preimage.known,
)
"""Asked once it is known whether it leads back; the first that knows tells."""

OF_THE_WAY_THERE: tuple[Oracle, ...] = (inverse_function.known,)
"""Asked once the way back is known."""

OF_ROUNDING: tuple[Oracle, ...] = (rounded_reals.known,)
"""Asked last, of the way there."""


def measure_sides(bench: Bench, probe: Probe) -> Sides:
    """Return what both directions say and what is true; raises nothing of the layer's."""
    *_, both = measured_in_turn(bench, probe)
    return both


def measured_in_turn(bench: Bench, probe: Probe) -> Iterator[Sides]:
    """Yield what the way there says and what is true of it, then the same of both ways.

    A way back that goes on dim by dim takes hundreds of times longer.
    """
    options, calls = bench.options, bench.calls
    runner, x, generator = bench.ready(probe)
    forward = Side.absent("forward", "there is no forward direction")
    inverse = Side.absent("inverse", "there is no way back")
    if calls.forward is not None:
        forward = measured_side(runner, "forward", x, bench)

    def asked(side: Side, other: Side) -> Question:
        return Question(bench=bench, probe=probe, runner=runner, side=side, other=other)

    forward = answered(OF_ONE, asked(forward, inverse))
    if forward.answered and options.direction == "both" and calls.inverse is not None:
        later = Side.unfinished("inverse")
        yield Sides(probe=probe, forward=forward, inverse=later)
    try:
        if options.direction == "forward":
            inverse = Side.absent("inverse", "not asked for")
        elif calls.inverse is not None:
            y = _inverse_input(forward, calls, probe, generator, x.dtype)
            if y is not None:
                inverse = way_back(runner, y, forward, bench)
                inverse = answered(OF_ONE, asked(inverse, forward))
                inverse = _led_back(asked(inverse, forward))
                forward = answered(
                    OF_THE_WAY_THERE, asked(_solving(forward, inverse), inverse)
                )
        forward = answered(OF_ROUNDING, asked(forward, inverse))
    except TimeIsUpError:  # what is known of the way there stays
        inverse = Side.unfinished("inverse")
    if options.direction == "inverse":
        forward = Side.absent("forward", "not asked for")
    yield Sides(probe=probe, forward=forward, inverse=inverse)


def _led_back(asked: Question) -> Side:
    """Return the way back with where it leads, and what is true of it where it ends."""
    if not asked.side.answered:
        return asked.side
    whole = not asked.bench.calls.departures  # else it leads to a point that it made up
    if whole:
        trip = round_trip_of(asked)
        asked = replace(asked, side=replace(asked.side, round_trip=trip))
    side = answered(OF_THE_WAY_BACK, asked)
    if not whole:
        return side
    meant = is_meant(replace(asked, side=side))
    return replace(side, round_trip=replace(side.round_trip, meant=meant))


def _solving(forward: Side, inverse: Side) -> Side:
    """Return the way there with the residual that may be its own, of a solver's."""
    off = inverse.round_trip.residual
    is_known = inverse.round_trip.off is not None and inverse.round_trip.off <= NEAR
    if not forward.answered or not is_known:
        return forward
    return replace(forward, round_trip=replace(forward.round_trip, residual=off))


def _inverse_input(
    forward: Side,
    calls: Calls,
    probe: Probe,
    generator: torch.Generator,
    dtype: torch.dtype,
) -> Tensor | None:
    """Return points for the way back: images of the forward map where there is one."""
    if forward.answered:
        y = forward.y
        usable = y.dim() and len(y) == probe.batch and bool(torch.isfinite(y).all())
        return y.clone() if usable else None
    back = calls.inverse
    declared = None if back is None else back.domain
    domain = declared or Domain(kind="real")
    return draw(domain, probe.shape, probe.batch, probe.region, generator).to(dtype)
