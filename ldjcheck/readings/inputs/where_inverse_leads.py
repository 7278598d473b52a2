"""Maps that are none on all numbers, and whose own way back tells where their inputs live.

Each entry may have an interval of its own, of numbers that the layer holds or learns; a
sample may have to be ordered, or add up to less than one. No box of ours is such a place,
but wherever the way back leads is one.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.readings.inputs.interval_self_map import is_lost
from ldjcheck.readings.reading import Measured, Reading, look_at

_WHY = "where the inverse leads: elsewhere the map is no number"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading fed with what the inverse makes of any numbers, if it is a map there.

    Right or wrong: a mistake does not decide where a layer lives.
    """
    bench, measured = seen.subject.bench, seen.comparison.measurement.measured
    way = bench.calls.forward
    if seen.subject.asked.domain is not None or way is None or way.domain is not None:
        return
    lost = any(is_lost(each.forward) for each in measured)
    if not lost or bench.calls.inverse is None or bench.options.inputs is not None:
        return
    there = seen.reading.assuming(
        "domain",
        "where the inverse leads",
        "observed",
        _WHY,
        bench=replace(bench, through_inverse=True),
    )
    sides = [each.forward for each in look_at(there).comparison.measurement.measured]
    if all(side.answered and not is_lost(side) for side in sides):
        yield there
