"""Calls that return several tensors, read as ones that return fewer."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ldjcheck.records import Calls, Kwargs, Returned

_MOST = 4  # outputs of a split


def of_fewer_outputs(calls: Calls, count: int) -> Iterator[tuple[int, Calls]]:
    """Yield the calls less each of `count` outputs, and which one; the last one first.

    Nothing where one tensor comes back, or more than a split returns.
    """
    for index in reversed(range(count if 1 < count <= _MOST else 0)):
        yield index, less_one_output(calls, index)


def less_one_output(calls: Calls, index: int) -> Calls:
    """Return the calls with one tensor of the output of the way there left out."""
    way = calls.forward
    assert way is not None, "it is called"
    call = way.call

    def keeping(layer: Any, x: Any, start: Any, kwargs: Kwargs) -> Returned:
        returned = call(layer, x, start, kwargs)
        y = returned.y
        held = [*y.values()] if isinstance(y, dict) else [*y]
        kept = held[:index] + held[index + 1 :]
        return replace(returned, y=kept[0] if len(kept) == 1 else kept)

    return replace(calls, forward=replace(way, call=keeping, asks=None))
