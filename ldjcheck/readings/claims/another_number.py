"""An ldj among several numbers of each sample, where no name tells which of them it is.

The second of what is returned is taken for it at first. Where that is wrong and another is
right, place was all that spoke for the first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ldjcheck.readings.reading import Measured, Reading, look_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Returned, Way

_MOST = 3  # numbers beside the first


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading in which the ldj is another of the numbers, which is right."""
    bench = seen.subject.bench
    calls = bench.calls
    if not seen.is_wrong:
        return
    for index in range(_MOST):
        ways = [_Another.of(way, index) for way in (calls.forward, calls.inverse)]
        there, back = (None if way is None else way.way() for way in ways)
        reading = seen.reading.assuming(
            "ldj",
            index,
            "observed",
            "no name tells which number it is, and the first of them is wrong",
            bench=replace(bench, calls=replace(calls, forward=there, inverse=back)),
        )
        is_right = look_at(reading).is_right
        if not any(way and way.taken for way in ways):
            return
        if is_right:
            yield reading
            return


class _Another:
    """A way whose ldj is another number, where its call returns so many."""

    def __init__(self, way: Way, index: int) -> None:
        self._way, self._index = way, index
        self.taken = False

    @classmethod
    def of(cls, way: Way | None, index: int) -> _Another | None:
        return None if way is None else cls(way, index)

    def way(self) -> Way:
        """Return the way as it is called then."""
        return replace(self._way, call=self._call, asks=None)

    def _call(self, layer: Any, x: Any, start: Any, kwargs: Any) -> Returned:
        returned = self._way.call(layer, x, start, kwargs)
        if self._index >= len(returned.beside):
            return returned
        self.taken = True
        return replace(returned, ldj=returned.beside[self._index])
