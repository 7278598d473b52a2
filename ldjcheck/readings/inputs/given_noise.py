"""A model that is given its noise beside x, as `bits_per_dim(x, eps)` is.

Taken for a context it stays as it is, and its density is counted all the same. Drawn at each
call it is the noise that it is: of x in whole numbers, or of what is decoded.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ldjcheck.errors import CannotCheckError
from ldjcheck.readings.densities import density_with_draws
from ldjcheck.readings.reading import Measured, Reading, look_at
from ldjcheck.records import Context, Kwargs, Returned, Way
from ldjcheck.settling.settle import settle

_WHY = "{}: a normal draw, whose density is counted"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading of a model that draws what it is given, if it counts how probable."""
    subject, bench = seen.subject, seen.subject.bench
    way = bench.calls.forward
    passes = seen.comparison.forward.check.status == "pass"
    if passes or way is None or bench.calls.convention != "model":
        return
    given = {each.name for each in subject.asked.context}
    fed = bench.options.context
    for each in (c for c in fed if c.name not in given and c.domain is None):
        drawn = replace(way, call=_drawing(way, each), afresh=None)
        names = tuple(name for name in bench.calls.context_names if name != each.name)
        calls = replace(bench.calls, forward=drawn, context_names=names)
        others = tuple(other for other in fed if other is not each)
        start = replace(bench, options=replace(bench.options, context=others))
        with suppress(CannotCheckError):
            found = settle(start, (calls,), ((bench.shape, subject.why_shape),))
            told = _WHY.format(each.name)
            reading = seen.reading.assuming(
                each.name, "noise", "observed", told, bench=found.bench
            )
            drawn_anew = look_at(reading)
            first = drawn_anew.comparison.measurement.measured[0].forward
            if first.answered and first.exact.density is not None:
                yield reading
                return
            yield from density_with_draws.propose(drawn_anew, each)


def _drawing(way: Way, noise: Context) -> Any:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        drawn = torch.randn(len(x), *noise.shape, dtype=x.dtype, device=x.device)
        return way.call(layer, x, start, {**kwargs, noise.name: drawn})

    return call
