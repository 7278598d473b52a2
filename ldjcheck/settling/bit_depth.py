"""Models of data that was scaled before: their density is that of the whole numbers.

Pixels of 256 levels are scaled to [0, 1] outside of the model, which takes log 256 for
each dim off its density, so that its bits per dim are those of the pixels. That is no term
too many. The model says so by the number: the same power of two for every dim.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.oracle.derivatives.flat_map import FrozenMap
from ldjcheck.oracle.derivatives.jacobian import NoJacobianError, log_abs_det
from ldjcheck.running.failed_calls import (
    FailedCallError,
)
from ldjcheck.running.guard import Frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from torch import Tensor

    from ldjcheck.records import CallFunction, Returned
    from ldjcheck.running.bench import Bench

_BITS = range(5, 17)  # of fewer, the constant for one dim may be that for all of a few
_NEAR = 2  # bits: a map that shrinks by about as much scales its data itself
_SAME = 1e-6  # nats for each dim: a constant may be made in float32


def with_levels(bench: Bench) -> Bench:
    """Return the bench of a model with the levels of its data set aside, if it has any.

    Whole numbers that are scaled by the model itself are none: the map shows that scale.
    """
    calls = bench.calls
    is_scaled = bench.domain.kind != "int"
    if calls.convention not in ("model", "density") or not is_scaled:
        return bench
    bits = _bits(bench)
    if calls.forward is None or bits is None:
        return bench
    said = (
        f"log {2**bits} for each dim is set aside: the density is that of data with "
        f"{2**bits} levels, which is scaled before"
    )
    return replace(
        bench,
        calls=replace(
            calls,
            forward=replace(calls.forward, call=_set_aside(calls.forward.call, bits)),
            inferred=(*calls.inferred, ("levels", said)),
        ),
    )


def _bits(bench: Bench) -> int | None:
    """Return how many bits each dim has, by what the density lacks; None where it does not."""
    x = bench.inputs()
    runner = bench.runner(warm_up=x)
    frozen = Frozen()
    map_ = FrozenMap(runner=runner, direction="forward", x=x, frozen=frozen)
    dims = x[0].numel()
    try:
        reported = runner.run("forward", x, frozen).reported
        if reported is None or dims < 2 or frozen.draws:
            return None
        jacobian = map_.jacobian(map_.origin)[0].double()
    except (FailedCallError, NoJacobianError):
        return None
    if jacobian.shape[1] != jacobian.shape[2] or reported.shape != (bench.batch,):
        return None
    exact = log_abs_det(jacobian)[1]
    lacking = (exact - reported.detach().double()) / dims
    found = float(lacking.mean()) / math.log(2)
    if not math.isfinite(found) or (bits := round(found)) not in _BITS:
        return None
    off = (lacking - bits * math.log(2)).abs().max()
    shrunk = -exact.mean() / dims > (bits - _NEAR) * math.log(2)
    return bits if float(off) <= _SAME and not bool(shrunk) else None


def _set_aside(forward: CallFunction, bits: int) -> CallFunction:
    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        returned = forward(layer, x, start, kwargs)
        constant = bits * math.log(2) * x[0].numel()
        taken = None if returned.taken is None else returned.taken - constant
        return replace(returned, ldj=returned.ldj + constant, taken=taken)

    return call
