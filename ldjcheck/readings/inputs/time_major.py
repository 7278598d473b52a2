"""Layers whose batch is the second axis of what they take: `(time, batch, channels)`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ldjcheck.readings.reading import Measured, Reading, look_at, read_anew
from ldjcheck.settling.guesses.shapes import LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import CallFunction, Calls, Returned, Way

_STEPS = int(LENGTH), 5
_WHY = "its batch is the second axis, (time, batch, channels)"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the layer with the batch as the second axis, where it is right so.

    Only of what is wrong with the batch first, or whose samples meet then, and of no shape
    or context that was given.
    """
    subject = seen.subject
    bench, asked = subject.bench, subject.asked
    odd = any(v.form or v.behaviour.coupling for v in seen.comparison.verdicts)
    if (
        not (seen.is_wrong or odd)
        or bench.calls.parts
        or seen.reading.claim == "density"
        or not 0 < len(bench.shape) < 3
    ):
        return
    if asked.shape or asked.inputs is not None or bench.options.context:
        return
    right: list[Reading] = []
    for steps in _STEPS:
        shape = steps, bench.shape[-1]
        if not _is_right(look_at(_turned_reading(seen.reading), shape)):
            return  # found by a few calls, where settling it anew takes many
        for there in read_anew(bench.layer, replace(asked, shape=((None, shape),))):
            told = f"{shape}: {_WHY}"
            there = _turned_reading(there).assuming(
                "shape", shape, "observed", told, asked=asked
            )
            if _is_right(look_at(there)):
                right.append(there)
    if len(right) == len(_STEPS):
        yield right[-1]


def _is_right(seen: Measured) -> bool:
    """Return whether all is right, with a number for each entry of the second axis."""
    statuses = {v.check.status for v in seen.comparison.verdicts}
    forward = seen.comparison.measurement.measured[0].forward
    each = forward.answered and forward.said.ldj_shape == forward.x.shape[:1]
    return each and {"pass"} <= statuses <= {"pass", "not-available"}


def _turned_reading(reading: Reading) -> Reading:
    bench = reading.subject.bench
    turned = replace(bench, calls=_turned(bench.calls))
    return reading.of(replace(reading.subject, bench=turned))


def _turned(calls: Calls) -> Calls:
    """Return the calls with the first two axes of input and output exchanged."""
    return replace(
        calls, forward=_turned_way(calls.forward), inverse=_turned_way(calls.inverse)
    )


def _turned_way(way: Way | None) -> Way | None:
    return None if way is None else replace(way, call=_turning(way.call), asks=None)


def _turning(call: CallFunction) -> CallFunction:
    def turned(layer: Any, x: Any, start: Any, kwargs: Any) -> Returned:
        returned = call(layer, x.transpose(0, 1), start, kwargs)
        y = returned.y
        is_turned = isinstance(y, Tensor) and y.dim() > 1
        return replace(returned, y=y.transpose(0, 1)) if is_turned else returned

    return turned
