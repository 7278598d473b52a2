"""Sizes that a layer takes beside those which it is made for, as far as one can tell.

A pass must not rest on one size where the layer takes two, nor on one number of axes where
an elementwise map takes several. What is right elsewhere too counts there. What is wrong
there and nowhere else is no mistake, since nobody said that such events are meant: the pass
then says at which sizes alone it holds.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from math import prod

from torch import Tensor

from ldjcheck.judging import compare
from ldjcheck.object_graph import reachable
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.readings.reading import Measured
from ldjcheck.records import Comparison, Further, Shape, Sides
from ldjcheck.records.asked import while_time_lasts
from ldjcheck.running.bench import Bench
from ldjcheck.settling.design import choose_batch
from ldjcheck.settling.guesses.shapes import HEIGHT, LENGTH, SMALL, WIDTH
from ldjcheck.settling.other_sizes import resized
from ldjcheck.settling.settle import runs
from ldjcheck.settling.subject import Subject

_TRIED = 4  # other sizes, of which most are not taken
_AXES = 3  # of images, at most
PLACES = int(LENGTH)


def propose(seen: Measured) -> Iterator[Measured]:
    """Yield the reading of a right layer with other sizes, and other numbers of axes.

    Only of sizes that nobody gave. Those where it is wrong are left out, and noted.
    """
    subject, comparison = seen.subject, seen.comparison
    right = [v.direction for v in comparison.verdicts if v.check.status == "pass"]
    wrong = any(v.mismatched or v.form is not None for v in comparison.verdicts)
    if wrong or not right or not is_open(subject):
        return
    for sides in while_time_lasts(_further(subject, comparison)):
        measurement = comparison.measurement
        if not all(sides.of(d).agrees or sides.of(d).disagrees for d in right):
            continue  # what is exact there is not known
        evidence = measurement.evidence.joined_by(Further(by="sizes", sides=sides))
        there = compare(replace(measurement, evidence=evidence))
        if _statuses(there) == _statuses(comparison):
            comparison = there
            continue
        left_out = (*measurement.left_out, sides.probe.shape)
        measurement = replace(measurement, left_out=left_out)
        comparison = replace(comparison, measurement=measurement)
    if comparison is not seen.comparison:
        yield replace(seen, comparison=comparison)


def _statuses(comparison: Comparison) -> tuple[str, ...]:
    return tuple(check.status for check in comparison.checks)


def is_open(subject: Subject) -> bool:
    """Return whether the shape was ours to choose, and another may be tried as it is."""
    bench, asked = subject.bench, subject.asked
    given = asked.shape or asked.inputs is not None
    made_for_it = bench.calls.parts or bench.calls.departures or bench.sized
    return not (given or made_for_it)


def _further(subject: Subject, comparison: Comparison) -> Iterator[Sides]:
    """Yield what is measured at another size that the layer takes, and at more axes.

    A size is another where it is that of an axis which had one entry throughout.
    """
    bench, probe = subject.bench, subject.probes()[0]
    own, values = bench.shape, replace(bench, behaviour=False)
    seen = comparison.measurement.shapes
    ones = frozenset(
        i for i, sizes in enumerate(zip(*seen, strict=True)) if {*sizes} == {1}
    )
    axes = ones if len(seen) > 1 else frozenset(range(len(own)))
    alike = resized(own, frozenset(own), axes)[:_TRIED] if axes else ()
    longer: tuple[Shape, ...] = (PLACES, *own), (*own, HEIGHT, WIDTH)
    if _declares_axes(bench) or not is_elementwise(comparison):
        longer = ()
    tried = ((alike, 1), ([s for s in longer if len(s) <= _AXES], len(longer)))
    for shapes, wanted in tried:
        few = (s for s in shapes if prod(s) <= max(SMALL, prod(own)))
        for shape in islice((s for s in few if runs(bench, s)), wanted):
            batch = choose_batch(bench.options.batch, shape)
            yield measure_sides(values, replace(probe, shape=shape, batch=batch))


def _declares_axes(bench: Bench) -> bool:
    """Return whether the layer states how many axes an event has.

    By its `event_dim`, or by what it holds for a batch of one: `(1, channels, 1, 1)`.
    """
    way = bench.calls.forward or bench.calls.inverse
    if way is not None and way.event_dim is not None:
        return True
    held = (t.shape for t in reachable(bench.layer.obj) if isinstance(t, Tensor))
    batches = (shape for shape in held if len(shape) == len(bench.shape) + 1)
    return any(shape[0] == 1 and prod(shape) > 1 for shape in batches)


def is_elementwise(comparison: Comparison) -> bool:
    """Return whether the Jacobian is seen to be diagonal wherever it is known."""
    first = comparison.measurement.measured[0]
    known = [side.exact.structure for side in first.both if side.exact.structure]
    return bool(known) and all(each in ("diagonal", "identity") for each in known)
