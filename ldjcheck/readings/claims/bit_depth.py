"""Models of data that was scaled before: their density is that of the whole numbers.

Pixels of 256 levels are scaled to [0, 1] outside of the model, which takes log 256 for
each dim off its density, so that its bits per dim are those of the pixels. That is no term
too many. The model says so by the number: the same power of two for every dim.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from ldjcheck.readings.reading import LEVELS, Measured, Reading
from ldjcheck.records import CallFunction, Kwargs, Returned, Side

_BITS = range(5, 17)  # of fewer, the constant for one dim may be that for all of a few
_NEAR = 2  # bits: a map that shrinks by about as much scales its data itself
_SAME = 1e-6  # nats for each dim: a constant may be made in float32
_KNOWN = 1e-2  # nats for each dim: the exact value of a deep flow is known no better


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading with the levels of a model's data set aside, if it has any.

    Whole numbers that are scaled by the model itself are none: the map shows that scale.
    """
    bench, calls = seen.subject.bench, seen.subject.bench.calls
    if seen.reading.claim != "density" or calls.convention == "sampler":
        return
    if calls.forward is None or bench.domain.kind == "int":
        return
    known = {_bits(each.forward) for each in seen.comparison.measurement.measured}
    bits = known.pop() if len(known) == 1 else None
    if bits is None:
        return
    forward = replace(calls.forward, call=_set_aside(calls.forward.call, bits))
    said = (
        f"log {2**bits} for each dim is set aside: the density is that of data with "
        f"{2**bits} levels, which is scaled before"
    )
    bench = replace(bench, calls=replace(calls, forward=forward))
    yield seen.reading.assuming(LEVELS, 2**bits, "observed", said, bench=bench)


def _bits(side: Side) -> int | None:
    """Return how many bits each dim has, by what the density lacks; None where it does not."""
    if not side.answered or side.said.given or side.dims < 2:
        return None
    if side.exact.ldj is None or side.said.ldj is None:
        return None
    exact = side.exact.ldj
    lacking = (exact - side.said.ldj) / side.dims
    found = float(lacking.mean()) / math.log(2)
    if not math.isfinite(found) or (bits := round(found)) not in _BITS:
        return None
    off = (lacking - bits * math.log(2)).abs()
    known = (
        _SAME if side.exact.allowed is None else _SAME + side.exact.allowed / side.dims
    )
    shrunk = -exact.mean() / side.dims > (bits - _NEAR) * math.log(2)
    return bits if bool((off <= known).all()) and not bool(shrunk) else None


def _set_aside(forward: CallFunction, bits: int) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        returned = forward(layer, x, start, kwargs)
        constant = bits * math.log(2) * x[0].numel()
        taken = None if returned.taken is None else returned.taken - constant
        return replace(returned, ldj=returned.ldj + constant, taken=taken)

    return call
