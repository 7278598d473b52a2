"""Whether the ldj is the same at the first call, at the next, and after a way back.

All ask the same of one layer, whose parameters training does not move between. Where the
outputs agree and the ldj do not, one of them is another moment's: what a first call sets is
in the output already, and what training does to a layer is asked of it in training. A method
that is given an input answers for that one, whatever the map was called with since.
"""

from __future__ import annotations

from dataclasses import replace

from ldjcheck.numerics.closeness import same
from ldjcheck.records import Direction, Probe, Side
from ldjcheck.records.called import Stale, StaleFrom
from ldjcheck.running.behaviour import VISIBLE, stale_ldj
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.manner import Manner
from ldjcheck.running.observers.side_effects import Watch
from ldjcheck.running.runner import Outcome, Runner
from ldjcheck.running.snapshot.isolation import set_mode


@on_failure(None)
def other_moments(
    bench: Bench, probe: Probe, way: Direction, first: Side
) -> Stale | None:
    """Return how the ldj of one input is another at another moment; None if it is not."""
    calls, x, usual = bench.calls, first.x, bench.options.mode
    if first.disagrees and not same(first.said.ldj, first.exact.ldj, VISIBLE):
        return None  # what is wrong at all moments is no other moment's
    if bench.copy().layer is bench.layer.obj:
        return None  # it is not new any more
    dtype = "float64" if x.is_floating_point() else "float32"

    def told(of: StaleFrom, got: Outcome, fresh: Outcome, watch: Watch) -> Stale | None:
        return stale_ldj(got, fresh, dtype, of=of, location=watch.made(got.raw))

    new = bench.at(probe)
    for mode in dict.fromkeys((usual, "train")):
        watch = Watch(remember=True)
        runner = new.runner(draw=probe.draw, scale=probe.scale, seed=probe.seed)
        set_mode(runner.layer, mode)
        if mode != usual and bench.stays(runner, probe.shape):
            continue  # the next call is the same as the first
        at_first = runner.run(way, x, Frozen(), Manner(writes=watch))
        second = runner.run(way, x, Frozen(), Manner(writes=watch))
        asked = mode == usual
        of: StaleFrom = "first call" if asked else "first call in training"
        if (found := told(of, at_first, second, watch)) is not None:
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
            runner.output("inverse", second.y.detach())
            third = runner.run(way, x, Frozen(), Manner(writes=watch))
            if (found := told("way back", third, second, watch)) is not None:
                return found
    return None


def _asked_late(runner: Runner, way: Direction) -> Runner | None:
    """Return a runner that calls the map at another input before it asks for the ldj."""
    called = runner.calls.way(way)
    if called is None or called.late is None:
        return None
    later, calls = replace(called, call=called.late), runner.calls
    if way == "forward":
        return replace(runner, calls=replace(calls, forward=later))
    return replace(runner, calls=replace(calls, inverse=later))
