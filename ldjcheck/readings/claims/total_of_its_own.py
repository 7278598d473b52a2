"""A running total in the shape that a layer begins with where none is passed in.

A plain call that hands back a column, `(batch, 1)`, began with one: what is passed in has to
be one too, or every sample meets every total.
"""

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from ldjcheck.readings.reading import Measured, Reading, look_at


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the layer with columns for totals, where one is what it begins with itself."""
    bench, first = seen.subject.bench, seen.comparison.measurement.measured[0]
    calls = bench.calls
    if not calls.accumulates or calls.column or not _has_form(seen):
        return
    runner, x, _ = bench.ready(first.probe)
    plain = runner.without_total("forward", x) if calls.forward else None
    if (
        plain is None
        or not isinstance(plain.ldj, Tensor)
        or plain.ldj.shape != (len(x), 1)
    ):
        return
    reading = seen.reading.assuming(
        "total",
        "a column",
        "observed",
        "without a total it begins with a column, (batch, 1)",
        bench=replace(bench, calls=replace(calls, column=True)),
    )
    if not _has_form(look_at(reading)):
        yield reading


def _has_form(seen: Measured) -> bool:
    """Return whether what comes back is in another shape than what went in."""
    return any(verdict.form for verdict in seen.comparison.verdicts)
