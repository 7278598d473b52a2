"""Layers that take any number of samples in leading axes: `(..., dims)`, and an ldj for each.

An ldj that has an entry for each entry of the leading axes is one that was not summed, or
one of each sample of a layer whose event is what is left. Where the layer takes that by
itself, and nothing is wrong there, it is the event. Settling finds that by itself unless other
dims come out than go in.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.readings.reading import Measured, Reading, look_at, read_anew
from ldjcheck.readings.sizes.further_sizes import is_open


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the layer at the last axes alone, where it has an ldj for all entries before."""
    bench, asked = seen.subject.bench, seen.subject.asked
    side = seen.comparison.measurement.measured[0].forward
    if not side.answered or not side.said.ldj_shape or not is_open(seen.subject):
        return
    leading = len(side.said.ldj_shape)
    event = tuple(side.x.shape[leading:])
    if leading < 2 or not event or side.said.ldj_shape != side.x.shape[:leading]:
        return
    told = f"{event}: of axes before it there is an ldj for each entry"
    for there in read_anew(bench.layer, replace(asked, shape=((None, event),))):
        there = there.assuming("shape", event, "observed", told, asked=asked)
        if _is_whole(look_at(there)):
            yield there


def _is_whole(seen: Measured) -> bool:
    """Return whether nothing is wrong there, with one number for each sample."""
    side = seen.comparison.measurement.measured[0].forward
    odd = seen.is_wrong or any(v.form for v in seen.comparison.verdicts)
    return side.answered and not odd and side.said.ldj_shape == side.x.shape[:1]
