"""Whether the ldj is the same at the first call, at the next, and after a way back.

All ask the same of one layer, whose parameters training does not move between. Where the
outputs agree and the ldj do not, one of them is another moment's: what a first call sets is
in the output already, and what training does to a layer is asked of it in training. A method
that is given an input answers for that one, whatever the map was called with since.
"""

from __future__ import annotations

from dataclasses import replace

from ldjcheck.numerics.closeness import same
from ldjcheck.records import Direction, Probe, Side, Stale, StaleFrom
from ldjcheck.running.behaviour import VISIBLE, stale_ldj
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.manner import Manner
from ldjcheck.running.observers.writes import Watch
from ldjcheck.running.runner import Outcome, Runner
from ldjcheck.running.snapshot.isolation import set_mode


def other_moments(
    bench: Bench, probe: Probe, way: Direction, first: Side
) -> Stale | None:
    """Return how the ldj of one input is another at another moment; None if it is not."""
    calls, x, usual = bench.calls, first.x, bench.options.mode
    if _is_off(first):
        return None  # what is wrong at all moments is no other moment's
    if bench.copy().layer is bench.layer.obj:
        return None  # it is not new any more
    dtype = "float64" if x.is_floating_point() else "float32"

    def told(of: StaleFrom, got: Outcome, fresh: Outcome, watch: Watch) -> Stale | None:
        return stale_ldj(got, fresh, dtype, of=of, location=watch.made(got.raw))

    try:
        for mode in dict.fromkeys((usual, "train")):
            runner, watch = _new(bench, probe, mode), Watch(remember=True)
            if mode != usual and bench.stays(runner, probe.shape):
                continue  # the next call is the same as the first
            new = runner.run(way, x, Frozen(), Manner(writes=watch))
            second = runner.run(way, x, Frozen(), Manner(writes=watch))
            asked = mode == usual
            of: StaleFrom = "first call" if asked else "first call in training"
            if (found := told(of, new, second, watch)) is not None:
                return found
            if asked and (late := _asked_late(runner, way)) is not None:
                after = late.run(way, x, Frozen(), Manner(writes=watch))
                of = "call at another input"
                if (found := told(of, after, second, watch)) is not None:
                    return found
            if not asked or way == "inverse" or calls.inverse is None:
                continue
            is_batch = second.y.shape[:1] == x.shape[:1]
            if is_batch and bool(second.y.isfinite().all()):
                runner.run("inverse", second.y.detach(), Frozen())
                third = runner.run(way, x, Frozen(), Manner(writes=watch))
                if (found := told("way back", third, second, watch)) is not None:
                    return found
    except FailedCallError:
        return None
    return None


def _is_off(side: Side) -> bool:
    """Return whether an ldj is off by more than what is compared here may be."""
    return side.disagrees and not same(side.said.ldj, side.exact.ldj, VISIBLE)


def _asked_late(runner: Runner, way: Direction) -> Runner | None:
    """Return a runner that calls the map at another input before it asks for the ldj."""
    called = runner.calls.way(way)
    if called is None or called.late is None:
        return None
    later = replace(called, call=called.late)
    calls = runner.calls
    if way == "forward":
        return replace(runner, calls=replace(calls, forward=later))
    return replace(runner, calls=replace(calls, inverse=later))


def _new(bench: Bench, probe: Probe, mode: str) -> Runner:
    """Return a runner on a copy that was never called."""
    runner = bench.at(probe).runner(draw=probe.draw, scale=probe.scale, seed=probe.seed)
    set_mode(runner.layer, mode)
    return runner
