"""Layers that are wrong where one part is spread over another, which is no size of theirs.

What moves the third of three coordinates has one scale for it. Of four it scales two, and
counts one: the layer runs, and is made for three. What looks up a bin for each dim runs
as well where it is given fewer dims than it has bins for, and may count all of them.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.errors import CannotCheckError
from ldjcheck.readings.reading import Measured, Reading, at_shape, read_anew
from ldjcheck.records import Shape
from ldjcheck.running.bench import Bench
from ldjcheck.settling.guesses.shapes import sizes_held

_SIZES = range(2, 7)
_PLACES = 8
_NONE = frozenset[str]()


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the layer at events over whose parts no other is spread, if it takes some.

    Only of a layer that is wrong where one is, and of a shape that nobody asked for.
    """
    bench, asked = seen.subject.bench, seen.subject.asked
    if asked.shape or bench.options.context or bench.calls.parts:
        return
    if not seen.is_wrong:
        return
    faults = _faults(bench)
    if faults is not None:
        yield from _without_worse_sizes(seen, faults)
    if faults == _NONE:
        return
    if {*bench.shape} & sizes_held(bench.layer.obj):  # then it is made for these
        return
    for shape in _near(bench.shape):
        if _faults(at_shape(seen.subject, shape).bench) != _NONE:
            continue
        for reading in read_anew(bench.layer, replace(asked, shape=((None, shape),))):
            there = reading.subject
            others = (
                s for s in there.others if _faults(at_shape(there, s).bench) == _NONE
            )
            there = replace(there, others=tuple(others))
            kept = replace(there.bench, options=bench.options)
            told = f"{shape}: at {bench.shape} one part is spread over another"
            there = replace(there, asked=asked, bench=kept)
            yield reading.of(there).assuming("shape", shape, "observed", told)
            return


def _without_worse_sizes(seen: Measured, faults: frozenset[str]) -> Iterator[Reading]:
    """Yield the layer less the sizes at which parts do not fit as they do at its own.

    Only where it is right at its own: else the others take nothing away.
    """
    subject = seen.subject
    measured = seen.comparison.measurement.measured
    own = (m for m in measured if m.probe.shape == subject.bench.shape)
    if any(side.disagrees for sides in own for side in sides.both if side.answered):
        return
    found = ((s, _faults(at_shape(subject, s).bench)) for s in subject.others)
    others = tuple(s for s, own in found if (own or _NONE) <= faults)
    if others != subject.others:
        told = "without those whose parts do not fit"
        sizes = (subject.bench.shape, *others)
        yield seen.reading.assuming("sizes", sizes, "observed", told, others=others)


def _near(shape: Shape) -> Iterator[Shape]:
    """Yield shapes with other counts of features; of a vector, of several places as well."""
    if len(shape) == 3:
        yield from ((size, *shape[1:]) for size in _SIZES)
        return
    yield from ((*shape[:-1], size) for size in _SIZES)
    if len(shape) == 1:
        yield from ((_PLACES, size) for size in _SIZES)


def _faults(bench: Bench) -> frozenset[str] | None:
    """Return how parts do not fit: spread, left, or empty; None where it does not run."""
    from ldjcheck.running.failed_calls import FailedCallError
    from ldjcheck.running.observers.broadcasting import Spreads
    from ldjcheck.settling.trial import Quality, tried

    with Spreads(bench.batch) as noted:
        try:
            trial = tried(bench)
        except (FailedCallError, CannotCheckError):
            return None
    good = trial.quality is Quality.GOOD and bool(trial.outcome.y.isfinite().all())
    faults = {"spread": noted.seen, "empty": noted.empty, "uneven": noted.uneven,
              "unread": noted.unread}  # fmt: skip
    return frozenset(name for name, is_so in faults.items() if is_so) if good else None
