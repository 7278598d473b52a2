"""Both directions of a layer at one configuration, and the way there and back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.domains import draw
from ldjcheck.oracle.conditioning import with_losses
from ldjcheck.oracle.preimage import (
    as_meant,
    by_the_way_back,
    way_back,
    with_round_trip,
)
from ldjcheck.oracle.resampled import making_up
from ldjcheck.oracle.sides import measured_side
from ldjcheck.records import (
    Calls,
    Domain,
    Probe,
    Side,
    Sides,
)

if TYPE_CHECKING:
    from ldjcheck.running.bench import Bench
    from ldjcheck.running.runner import Runner


def measure_sides(bench: Bench, probe: Probe) -> Sides:
    """Return what both directions say and what is true; raises nothing of the layer's."""
    options, calls = bench.options, bench.calls
    runner, x, generator = bench.ready(probe)
    wants_forward = options.direction in ("both", "forward")
    wants_inverse = options.direction in ("both", "inverse")
    forward: Side = Side.absent("forward", "there is no forward direction")
    if calls.forward is not None:
        forward = measured_side(runner, "forward", x, bench)
        forward = _with_losses(runner, bench, probe, forward)
    inverse: Side = Side.absent("inverse", "there is no way back")
    if calls.inverse is not None and wants_inverse:
        y = _inverse_input(forward, calls, probe, generator, x.dtype)
        if y is not None:
            inverse = way_back(runner, y, forward, bench)
            inverse = _with_losses(runner, bench, probe, inverse)
            if inverse.answered and calls.departures:
                inverse = making_up(runner, inverse, bench.options)
            elif inverse.answered:
                inverse = with_round_trip(runner, inverse, forward, bench)
                inverse = as_meant(runner, inverse, forward, bench)
                forward = by_the_way_back(forward, inverse)
    elif not wants_inverse:
        inverse = Side.absent("inverse", "not asked for")
    if forward.answered and not _may_round(forward, inverse):
        forward = replace(forward, exact=replace(forward.exact, anchored=False))
    if not wants_forward:
        forward = Side.absent("forward", "not asked for")
    return Sides(probe=probe, forward=forward, inverse=inverse)


def _with_losses(
    runner: Runner,
    bench: Bench,
    probe: Probe,
    side: Side,
) -> Side:
    """Return the measurement with what is lost on the way allowed, if the numbers part."""
    if not side.disagrees or side.exact.underived:
        return side  # of what only solves, the steps say nothing of the map
    options = bench.options
    if not bench.losses or (options.atol, options.rtol) != (None, None):
        return side
    return with_losses(runner, probe, side)


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


def _may_round(forward: Side, inverse: Side) -> bool:
    """Return whether rounding may be seen through: where the way back adds the noise.

    A map that rounds real numbers, and that nothing undoes, has no Jacobian but zero.
    """
    undone = inverse.exact.wrt == "noise"
    return undone or not forward.exact.rounding_seen
