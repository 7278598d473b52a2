"""Events with entries at their end that nothing reads: a layer takes fewer, and adds some.

What maps three numbers onto four shares that add up to one holds a four, and runs on four
numbers as well: it looks at three of them. One that forgets its last entry does so at any
size.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.readings.reading import Measured, Reading, look_at, read_anew


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the layer at the entries that it reads, where no size was given."""
    subject, (count, size) = seen.subject, _read(seen)
    if subject.asked.shape or len(subject.bench.shape) != 1 or not 0 < count < size:
        return
    asked = replace(subject.asked, shape=((None, (count,)),))
    for there in read_anew(subject.layer, asked):
        if _read(look_at(there)) == (count, count):
            told = f"({count},): nothing reads more of {size}"
            yield there.assuming("shape", (count,), "observed", told)


def _read(seen: Measured) -> tuple[int, int]:
    """Return how many entries are read, those at the front, and how many there are."""
    jacobian = seen.comparison.measurement.measured[0].forward.exact.jacobian
    if jacobian is None:
        return 0, 0
    is_read = (jacobian != 0).any(dim=1).any(dim=0)
    count = int(is_read.sum())
    return (count if bool(is_read[:count].all()) else 0), len(is_read)
