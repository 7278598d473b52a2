"""Layers whose batch is the second axis of what they take: `(time, batch, channels)`."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from ldjcheck.judging.measurement import compared
from ldjcheck.readings.policy import told_of
from ldjcheck.readings.reading import (
    Measured,
    Outcome,
    Reading,
    at_shape,
    look_at,
    read_anew,
)
from ldjcheck.readings.what_runs import said_by_densities
from ldjcheck.records import CallFunction, Calls, Result, Returned, Shape, Way
from ldjcheck.records.result import Basis
from ldjcheck.settling.guesses.shapes import LENGTH, sizes_held

_STEPS = int(LENGTH), 5
_WIDTHS = 4  # that it holds, and are tried where it has contexts
_WHY = "its batch is the second axis, (time, batch, channels)"
_BATCH_FIRST = "one number of all samples, with the batch first"
_BATCH_SECOND = "one of each sample, with the batch second, (time, batch, channels)"
_ADAPTER = "adapter=, which exchanges the first two axes"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the layer with the batch as the second axis, where it is right so.

    Only of what is wrong with the batch first, or whose samples meet then; where they do,
    or a number is of each entry of the second axis, and are apart with the batch second, it
    is so whether it is right or not. One that adds up all its samples is either: both are
    told, by its result.
    """
    odd = any(v.form or v.behaviour.coupling for v in seen.comparison.verdicts)
    forward = seen.comparison.measurement.measured[0].forward
    adds_up = forward.answered and forward.said.ldj_shape == ()
    if (seen.is_wrong or odd) and not adds_up:
        found = next(_fitting(_is_right, seen.reading, "observed"), None)
        if found is None and (_is_coupled(seen) or _is_of_second(seen)):
            found = next(_fitting(_is_apart, seen.reading, "observed"), None)
        yield from () if found is None else (found,)


def propose_beside(outcome: Outcome) -> Iterator[Reading]:
    """Yield the same of a layer whose number is one for all samples, with the batch first."""
    if any(f.code == "LDJ106" for f in outcome.result.findings):
        # Nothing speaks for it but that it fits, which counts for no more than a name.
        reading = Reading(subject=outcome.subject, adopt=_told_beside)
        yield from _fitting(_is_right, reading, "named")


def _told_beside(before: Result, again: Result | None) -> Result:
    return told_of(before, again, (_BATCH_FIRST, ""), (_BATCH_SECOND, _ADAPTER))


def _fitting(
    fits: Callable[[Measured], bool], first: Reading, basis: Basis
) -> Iterator[Reading]:
    """Yield a reading with the batch second where it fits so at two lengths.

    Of no shape or context that was given; as wide as it ran, or as something that it holds.
    """
    bench, asked = first.subject.bench, first.subject.asked
    if asked.shape or asked.inputs is not None or asked.context:
        return
    if bench.calls.parts or first.claim == "density" or len(bench.shape) > 2:
        return
    held = sorted(sizes_held(bench.layer.obj)) if bench.options.context else []
    for width in dict.fromkeys((*bench.shape[-1:], *held[:_WIDTHS])):
        right: list[Reading] = []
        for steps in _STEPS:
            shape = steps, width
            if not fits(look_at(_turned_reading(first), shape)):
                break  # found by a few calls, where settling it anew takes many
            for there in _settled_at(first, shape):
                told = f"{shape}: {_WHY}"
                there = replace(_turned_reading(there), adopt=first.adopt)
                there = there.assuming("shape", shape, basis, told, asked=asked)
                if fits(look_at(there)):
                    right.append(there)
        if len(right) == len(_STEPS):
            yield right[-1]
            return


def _settled_at(first: Reading, shape: Shape) -> Iterator[Reading]:
    """Yield it at another shape; anew, but that contexts are of the second axis."""
    bench, asked = first.subject.bench, first.subject.asked
    if bench.options.context:
        yield first.of(at_shape(first.subject, shape))
    else:
        yield from read_anew(bench.layer, replace(asked, shape=((None, shape),)))


def _is_right(seen: Measured) -> bool:
    """Return whether all is right, with a number for each entry of the second axis."""
    statuses = {v.check.status for v in seen.comparison.verdicts}
    return _is_of_each(seen) and {"pass"} <= statuses <= {"pass", "not-available"}


def _is_apart(seen: Measured) -> bool:
    """Return whether no sample meets another, with a number for each of them."""
    if not _is_of_each(seen) or any(v.resized for v in seen.comparison.verdicts):
        return False
    return not _is_coupled(replace(seen, comparison=compared(seen.subject)))


def _is_of_each(seen: Measured) -> bool:
    forward = seen.comparison.measurement.measured[0].forward
    shape = forward.said.ldj_shape if forward.answered else None
    return shape is not None and shape in (forward.x.shape[:1], forward.x.shape[:2])


def _is_of_second(seen: Measured) -> bool:
    """Return whether a number is of each entry of the second axis, and of none of the first.

    Where there is one for each entry of both, a density says of which it adds them up.
    """
    forward = seen.comparison.measurement.measured[0].forward
    if not forward.answered or forward.x.dim() < 2:
        return False
    shape = forward.said.ldj_shape
    if shape is not None and shape == forward.x.shape[:2]:
        bench, probe = seen.subject.bench, seen.subject.probes()[0]
        said = (each for _, _, each, _ in said_by_densities(bench, probe))
        return any(getattr(each, "shape", None) == shape[1:] for each in said)
    return forward.x.shape[:1] != shape == forward.x.shape[1:2]


def _is_coupled(seen: Measured) -> bool:
    return any(v.behaviour.coupling for v in seen.comparison.verdicts)


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
        y, ldj = _exchanged(returned.y), _exchanged(returned.ldj)
        return replace(returned, y=y, ldj=ldj)

    return turned


def _exchanged(value: Any) -> Any:
    is_turned = isinstance(value, Tensor) and value.dim() > 1
    return value.transpose(0, 1) if is_turned else value
