"""A density of x beside z that nothing names: what it is, its numbers tell.

A module that hands on what its flow returns, `return self.flow(x)`, says nothing of it in
its own source. As an ldj the number is wrong; less the log-density of z that it is made of,
it is right, or much nearer to it. Where it is wrong in both ways, a base that was asked about
z tells which mistake it is, or the name that the number has where it is made.
"""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from types import FrameType
from typing import Any

from torch.nn.functional import softplus

from ldjcheck.calling.parameter_names import is_density_of_x, is_total
from ldjcheck.calling.results import returned_names
from ldjcheck.calling.signature import caller
from ldjcheck.conventions.distributions.density import as_density, as_ldj_of_all
from ldjcheck.conventions.distributions.sampler import as_sampler
from ldjcheck.numerics.tolerance import is_once_more, tells_a_mistake
from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.readings.reading import NEARER, Measured, Reading, look_at, worst_of
from ldjcheck.records import Returned
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.tape.frames import is_users
from ldjcheck.tracing import trace_calls

_DROPS = "less the density of what leaves on the way, the number beside z is the ldj"
_WHY = "less log p(z), which it is made of, the number beside z is the ldj"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading in which the number is log p(x), where that is right or nearly so."""
    subject = seen.subject
    asked, bench = subject.asked, subject.bench
    is_open = (asked.kind, asked.convention) == ("auto", "auto")
    forward = seen.comparison.forward
    loses = forward.resized is not None and forward.check.status == "unproven"
    is_off = forward.mismatched or loses
    if not (is_off and is_open and bench.calls.convention == "pair"):
        return
    place, names = _beside(seen)
    if place is None or any(map(is_total, names)):
        return
    is_named = any(map(is_density_of_x, names))
    for calls in as_ldj_of_all(subject.layer.obj, place) if loses else ():
        reading = seen.reading.assuming(
            "ldj", "with log p", "observed", _DROPS, bench=replace(bench, calls=calls)
        )
        with suppress(FailedCallError):
            there = look_at(reading)
            if there.is_right or there.is_wrong:
                yield reading
                return
    if not forward.mismatched or worst_of(seen) < tells_a_mistake(
        forward.check.dims or 1
    ):
        return  # no log p is as small as what steps leave
    *bases, uniform = as_density(subject.layer.obj, place)
    drawn = as_sampler(subject.layer.obj, place)
    for calls in (*bases, *drawn, *([uniform] if is_named else [])):
        reading = seen.reading.assuming(
            "ldj", "log p(x)", "observed", _WHY, bench=replace(bench, calls=calls)
        )
        with suppress(FailedCallError):
            there = look_at(reading)
            first = there.comparison.measurement.measured[0].forward
            has_no_mass = bool(first.said.bases) and not is_named
            is_nearer = worst_of(there) < NEARER * worst_of(seen) < math.inf
            is_slope = (has_no_mass or is_nearer) and _is_a_slope(there, seen)
            if has_no_mass and (is_slope or not there.is_right):
                continue  # no density, and less it no ldj: that are two mistakes for one
            is_nearer = is_nearer and not is_slope
            said = there.is_wrong and (is_named or calls is bases[0])
            if there.is_right or is_nearer or said:
                yield reading
                return


def _is_a_slope(there: Measured, seen: Measured) -> bool:
    """Return whether the density that is taken off is a log-derivative of the map.

    So is that of a distribution, of a step by its distribution function. And what corrects
    for a tanh is no density of what comes out where no tanh is: its mass is 2 a dim.
    """
    sides = seen.comparison.measurement.measured[0]
    less, side = there.comparison.measurement.measured[0].forward, sides.forward
    if less.said.ldj is None or side.said.ldj is None or side.exact.ldj is None:
        return False
    squashed = 2.0 * (math.log(2) - side.y - softplus(-2.0 * side.y)).double()
    slopes = [side.exact.ldj, squashed.reshape(len(squashed), -1).sum(1)]
    runner, _, _ = seen.subject.bench.ready(sides.probe)
    with suppress(FailedCallError, UntraceableError):
        trace = record(runner, sides.probe, side)
        slopes += [step.logdet for step in trace.steps] if trace is not None else []
    taken = [side.said.ldj - sign * less.said.ldj for sign in (1, -1)]
    return any(is_once_more(one, slope) for one in taken for slope in slopes)


def _beside(seen: Measured) -> tuple[int | None, set[str]]:
    """Return where in its result a call has the number, and how functions call that."""
    bench = seen.subject.bench
    way = bench.calls.forward
    if way is None:
        return None, set()
    places, names = list[int](), set[str]()

    def call(layer: Any, x: Any, start: Any, kwargs: Any) -> Returned:
        ended: list[tuple[dict[str, Any], Any]] = []

        def hears(frame: FrameType, event: str, result: Any) -> None:
            is_own = is_users(frame.f_code.co_filename)
            if event == "return" and is_own and isinstance(result, (tuple, list)):
                ended.append((dict(frame.f_locals), result))

        with trace_calls(hears):
            returned = way.call(layer, x, start, kwargs)
        for known, result in ended:
            at = [i for i, each in enumerate(result) if each is returned.ldj]
            if at:
                places[:] = at  # the last to return is what was called
                names.update(n for n, value in known.items() if value is returned.ldj)
        return returned

    calls = replace(bench.calls, forward=replace(way, call=call))
    runner, x, _ = replace(bench, calls=calls).ready(seen.subject.probes()[0])
    with suppress(FailedCallError):
        runner.run("forward", x, Frozen())
    written = returned_names(caller(bench.layer.obj))
    names.update(name for i in places for name in written[i : i + 1])
    return places[0] if len(places) == 1 else None, names
