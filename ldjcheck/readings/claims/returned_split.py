"""A split that hands back what it drops beside what goes on, and counts its density.

All that comes back is as many dims as went in, and then the density is a term too many; as a
split it is what stands in for the dims that leave.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ldjcheck.calling.outputs import of_fewer_outputs
from ldjcheck.calling.results import is_made_of_densities, source_of
from ldjcheck.calling.signature import caller
from ldjcheck.judging.measurement import compared
from ldjcheck.numerics.tolerance import says_nothing
from ldjcheck.readings.reading import Measured, Reading
from ldjcheck.records import Side
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading in which a part of the output leaves, where its density is counted.

    That is where exp(ldj) is a density of the part. Where none is, it is a split that
    counts a wrong one if the call asks a distribution, or only takes x apart: that changes
    no volume, and what else would it count?
    """
    subject = seen.subject
    forward = subject.bench.calls.forward
    if not seen.is_wrong or forward is None or subject.asked.kind not in _KINDS:
        return
    first = seen.comparison.measurement.measured[0].forward
    if first.said.ldj is None or says_nothing(
        first.said.ldj, first.dims, first.said.dtype
    ):
        return  # it counts no density, whatever it asks for
    claimed = None
    for index, calls in of_fewer_outputs(subject.bench.calls, _parts(seen)):
        if not _leads_back(replace(subject.bench, calls=calls), seen):
            calls = replace(calls, inverse=None)
        reading = seen.reading.assuming(
            "split",
            index,
            "observed",
            f"output {index} of the call leaves, and its density is counted",
            bench=replace(subject.bench, calls=calls),
            asked=replace(subject.asked, kind="split"),
        )
        there = compared(reading.subject, values_alone=True).forward
        if there.instead == "split" and there.check.status == "pass":
            yield reading
            return
        claimed = claimed or reading
    several = bool(subject.bench.calls.parts)  # which come back as they went in
    if (
        claimed is not None
        and not several
        and (_only_rearranges(first) or _asks_a_distribution(subject.layer.obj))
    ):
        yield claimed


_KINDS = ("auto", "split")


def _parts(seen: Measured) -> int:
    """Return how many tensors come out."""
    runner, x, _ = seen.subject.bench.ready(seen.subject.probes()[0])
    try:
        runner.run("forward", x, Frozen())
    except FailedCallError:
        return 0
    layout = runner.layouts["forward"]
    return 0 if layout is None else len(layout.shapes)


def _leads_back(bench: Bench, seen: Measured) -> bool:
    """Return whether the way back takes what is kept alone, and makes up the rest."""
    if bench.calls.inverse is None:
        return False
    runner, x, _ = bench.ready(seen.subject.probes()[0])
    try:
        return runner.around(x).shape == x.shape
    except FailedCallError:
        return False


def _only_rearranges(side: Side) -> bool:
    """Return whether the entries that come out are those of x, in whatever order."""
    x, y = (each.reshape(len(each), -1).sort(1).values for each in (side.x, side.y))
    return x.shape == y.shape and bool((x == y).all())


def _asks_a_distribution(layer: Any) -> bool:
    function = caller(layer)
    function = getattr(function, "forward", function)
    tree = source_of(function)
    return tree is not None and is_made_of_densities(tree, set(), function)
