"""An ldj among several numbers of each sample, where no name tells which of them it is.

The second of what is returned is taken for it at first. Where that is wrong and another is
right, place was all that spoke for the first.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ldjcheck.readings.reading import Measured, Reading, look_at
from ldjcheck.records import Returned, Way
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading in which the ldj is another of the numbers, which is right."""
    bench = seen.subject.bench
    calls = bench.calls
    for index in range(_count_others(seen) if seen.is_wrong else 0):
        there, back = (_another(way, index) for way in (calls.forward, calls.inverse))
        reading = seen.reading.assuming(
            "ldj",
            index,
            "observed",
            "no name tells which number it is, and the first of them is wrong",
            bench=replace(bench, calls=replace(calls, forward=there, inverse=back)),
        )
        if look_at(reading).is_right:
            yield reading
            return


def _count_others(seen: Measured) -> int:
    """Return how many numbers stand beside the first, by one call of the way there."""
    bench, counts = seen.subject.bench, [0]
    way = bench.calls.forward
    if way is None:
        return 0

    def call(layer: Any, x: Any, start: Any, kwargs: Any) -> Returned:
        returned = way.call(layer, x, start, kwargs)
        counts.append(len(returned.beside))
        return returned

    calls = replace(bench.calls, forward=replace(way, call=call, asks=None))
    runner, x, _ = replace(bench, calls=calls).ready(seen.subject.probes()[0])
    with suppress(FailedCallError):
        runner.run("forward", x, Frozen())
    return counts[-1]


def _another(way: Way | None, index: int) -> Way | None:
    """Return a way whose ldj is another number, where its call returns so many."""
    if way is None:
        return None

    def call(layer: Any, x: Any, start: Any, kwargs: Any) -> Returned:
        returned = way.call(layer, x, start, kwargs)
        others = returned.beside[index : index + 1]
        return replace(returned, ldj=others[0]) if others else returned

    return replace(way, call=call, asks=None)
