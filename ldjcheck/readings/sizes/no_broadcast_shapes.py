"""Layers that are wrong where one part is spread over another, which is no size of theirs.

What moves the third of three coordinates has one scale for it. Of four it scales two, and
counts one: the layer runs, and is made for three. What looks up a bin for each dim runs
as well where it is given fewer dims than it has bins for, and may count all of them.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.settling.design import choose_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Shape
    from ldjcheck.running.bench import Bench
    from ldjcheck.settling.subject import Subject

_SIZES = range(2, 7)
_PLACES = 8


def where_nothing_is_spread(subject: Subject, comparison: Comparison) -> Subject | None:
    """Return the subject at events over whose parts no other is spread; None elsewhere.

    Only of a layer that is wrong where one is, and of a shape that nobody asked for.
    """
    from ldjcheck.settling.subject import settle_layer

    bench, asked = subject.bench, subject.asked
    if asked.shape or bench.options.context or bench.calls.parts:
        return None
    if not any(v.mismatched for v in comparison.verdicts) or _is_whole(bench):
        return None
    for shape in _near(bench.shape):
        if not _is_whole(_at(bench, shape)):
            continue
        with contextlib.suppress(CannotCheckError):
            there = settle_layer(subject.layer, replace(asked, shape=((None, shape),)))
            told = f"{shape}: at {bench.shape} one part is spread over another"
            return replace(
                there,
                asked=asked,
                bench=replace(there.bench, options=bench.options),
                others=tuple(
                    other
                    for other in there.others
                    if _is_whole(_at(there.bench, other))
                ),
                inferred={**there.inferred, "shape": told},
            )
    return None


def _near(shape: Shape) -> Iterator[Shape]:
    """Yield shapes with other counts of features; of a vector, of several places as well."""
    if len(shape) == 3:
        yield from ((size, *shape[1:]) for size in _SIZES)
        return
    yield from ((*shape[:-1], size) for size in _SIZES)
    if len(shape) == 1:
        yield from ((_PLACES, size) for size in _SIZES)


def _at(bench: Bench, shape: Shape) -> Bench:
    return replace(bench, shape=shape, batch=choose_batch(bench.options.batch, shape))


def _is_whole(bench: Bench) -> bool:
    """Return whether the layer runs, and spreads no part, leaves none, and has none empty."""
    from ldjcheck.running.failed_calls import FailedCallError
    from ldjcheck.running.observers.broadcasting import Spreads
    from ldjcheck.settling.trial import Quality, tried

    with Spreads(bench.batch) as noted:
        try:
            trial = tried(bench)
        except (FailedCallError, CannotCheckError):
            return False
    good = trial.quality is Quality.GOOD and bool(trial.outcome.y.isfinite().all())
    return good and not (noted.seen or noted.empty or noted.uneven or noted.unread)
