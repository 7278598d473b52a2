"""Labels that were made up as 0 and 1: what fits these alone may be no mistake's name.

Of 0 and 1 the logarithm of one more is a multiple, and the square the same. But labels may
be no others, as where `y * a + (1 - y) * b` is one of two: others are asked where an edit
was found for neither, and told where they lead to one.
"""

from collections.abc import Iterator

from ldjcheck.readings.reading import Outcome, Reading, is_mended
from ldjcheck.records import Result

_WHY = "labels beyond 0 and 1 as well: these show an edit that makes all right"


def propose(outcome: Outcome) -> Iterator[Reading]:
    """Yield the reading with further labels, where what is wrong has no edit that was run."""
    subject, result = outcome.subject, outcome.result
    bench = subject.bench.with_further_labels()
    if bench is None or result.status != "fail" or any(map(is_mended, result.findings)):
        return
    reading = Reading(subject=subject, adopt=_if_mended)
    for name in sorted(subject.bench.labels):
        reading = reading.assuming(name, "further", "observed", _WHY, bench=bench)
    yield reading


def _if_mended(before: Result, again: Result | None) -> Result:
    mended = again is not None and any(map(is_mended, again.findings))
    return again if again is not None and mended else before
