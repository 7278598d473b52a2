"""A density that draws on its way, and is a bound: of x and what is drawn it is exact.

Noise of an encoder is held still otherwise, and z has more dims than x, or none of x's.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from math import prod

from ldjcheck.conventions.distributions.bound import as_density_with_draws
from ldjcheck.errors import CannotCheckError
from ldjcheck.readings.reading import Measured, Reading, look_at
from ldjcheck.records import Context
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.settling.domains import drawn_into_output
from ldjcheck.settling.settle import settle

DRAWS = "draws"
_WHY = "{} normal numbers, which are drawn, stand beside the {} of x: it is of both"


def propose(seen: Measured, noise: Context | None = None) -> Iterator[Reading]:
    """Yield the reading of a density as that of x and of what it draws, if it is one.

    Or of x and of the `noise` that it is given in its place.
    """
    subject, bench = seen.subject, seen.subject.bench
    way, dims = bench.calls.forward, prod(bench.shape)
    is_model = bench.calls.convention == "model"
    if seen.comparison.forward.check.status == "pass" or way is None or not is_model:
        return
    drawn = drawn_into_output(bench, alone=False) if noise is None else noise.shape
    count = prod(drawn) if noise else sum(drawn)
    if not count:
        return
    why, wrong = _WHY.format(count, dims), list[Reading]()
    for calls in as_density_with_draws(
        subject.layer.obj, bench.calls, bench.shape, noise
    ):
        with suppress(CannotCheckError, FailedCallError):
            start = replace(bench, calls=calls)
            found = settle(start, (calls,), (((dims + count,), why),))
            reading = seen.reading.assuming(
                DRAWS, count, "observed", why, bench=found.bench, others=()
            )
            forward = look_at(reading).comparison.forward
            if forward.check.status == "pass":
                yield reading
                return
            if forward.resized is None and forward.usable:
                wrong.append(reading)
    yield from wrong[:1]
