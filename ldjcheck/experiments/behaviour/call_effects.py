"""How a layer conducts itself over several calls, asked once, at the first configuration.

Whether the ldj is the same at the first call, at the next, and after a way back, is asked
of one layer whose parameters training does not move between. Where the outputs agree and
the ldj do not, one of them is another moment's: what a first call sets is in the output
already, and what training does to a layer is asked of it in training. A method that is
given an input answers for that one, whatever the map was called with since.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch

from ldjcheck.experiments import Experiment
from ldjcheck.experiments.behaviour.statefulness import Histories
from ldjcheck.experiments.behaviour.stochasticity import reseeded
from ldjcheck.numerics.closeness import same
from ldjcheck.records import Direction, Evidence, Location, Options, Probe, Side
from ldjcheck.records.called import Behaviour, Coupling, Stale, StaleFrom, StateChange
from ldjcheck.records.observed import Noticed, Observation
from ldjcheck.running.behaviour import (
    VISIBLE,
    changes_between_calls,
    coupling_of,
    difference,
    stale_ldj,
)
from ldjcheck.running.bench import Bench
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import FailedCallError, on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.side_effects import Watch
from ldjcheck.running.runner import Outcome, Runner
from ldjcheck.running.snapshot.isolation import set_mode
from ldjcheck.running.snapshot.state import changed, state_of, tensors_by_name
from ldjcheck.tape import Node, location_of
from ldjcheck.tape.recorder import Recorder


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


# --- the experiment -------------------------------------------------------------------

_COUPLED = 1e-7  # relative: below it, finding out where samples meet is not worth it


def _run(bench: Bench, so_far: Evidence) -> Iterator[Observation]:
    """Yield what only further calls can tell, at the first probe."""
    if not bench.behaviour:
        return
    probe, options = so_far.probes[0], bench.options
    runner, _, _ = bench.ready(probe)
    sides: dict[Direction, Side] = {}
    for side in so_far.sides[0].answered:
        seen = _asked(runner, side, options)
        sides[side.direction] = replace(side, behaviour=seen)
    for direction, seen in _over_time(bench, probe, sides).items():
        yield Noticed(direction=direction, behaviour=seen)


def _over_time(
    bench: Bench, probe: Probe, sides: Mapping[Direction, Side]
) -> dict[Direction, Behaviour]:
    """Return the behaviours with what earlier calls leave behind, where they repeat."""
    seen = {direction: side.behaviour for direction, side in sides.items()}
    way: Direction = "forward" if "forward" in sides else "inverse"
    if way not in sides or not _repeats(seen[way]):
        return seen
    first = sides[way]
    back = sides.get("inverse") if way == "forward" else None
    histories = Histories(bench, probe, way, first.x, None if back is None else back.x)
    coupling = first.behaviour.coupling
    coupled = coupling is not None and coupling.output > _COUPLED
    found = histories.remembered(coupled=coupled)
    seen[way] = replace(first.behaviour, state=found.state)
    every = found.state is not None and found.state.every_call
    stales = dict(found.stale)
    if not stales and not every:
        other = other_moments(bench, probe, way, first)
        stales = {} if other is None else {way: other}
    for direction, stale in stales.items():
        if direction in sides:
            seen[direction] = replace(seen[direction], stale=stale)
    return seen


def _repeats(seen: Behaviour) -> bool:
    return seen.unrepeatable is None and seen.state is None and seen.stale is None


def _asked(runner: Runner, side: Side, options: Options) -> Behaviour:
    seen = side.behaviour
    if seen.unrepeatable is not None and not seen.unrepeatable.reseeded:
        state = _settling(runner, side)
        if state is not None:
            seen = replace(seen, unrepeatable=None, state=state)
    if _repeats(seen):
        seen = replace(seen, unrepeatable=reseeded(runner, side, options))
    if seen.state is not None and options.mode == "train" and not seen.state.learned:
        by_mode = not _drifts_in_eval(runner, side)
        set_mode(runner.layer, options.mode)
        seen = replace(seen, state=replace(seen.state, by_mode=by_mode))
    if seen.coupling is not None and seen.coupling.output > _COUPLED:
        seen = replace(seen, coupling=_located(runner, side, seen.coupling, options))
    return seen


@on_failure(None)
def _settling(runner: Runner, side: Side) -> StateChange | None:
    """Return what early calls change of what the layer holds, though later ones do not.

    One that splits its own matrices anew has nothing left to split after a few calls.
    """
    before = state_of(runner.layer)
    first, second = Watch(), Watch()
    first.also(tensors_by_name(runner.layer))
    base = runner.run(side.direction, side.x, Frozen(), Manner(writes=first))
    second.also(tensors_by_name(runner.layer))
    again = runner.run(side.direction, side.x, Frozen(), Manner(writes=second))
    after = state_of(runner.layer)
    names = changed(before, after)
    if not names:
        return None
    places = (w.written(name) for w in (first, second) for name in names)
    return StateChange(
        names=names,
        every_call=True,
        settles=True,
        learned=bool(changed(before, after, ("learned",))),
        change=difference(base.y, again.y),
        location=next(filter(None, places), None),
    )


@on_failure(True)
def _drifts_in_eval(runner: Runner, side: Side) -> bool:
    set_mode(runner.layer, "eval")
    way, x, frozen = side.direction, side.x, Frozen()
    base = runner.run(way, x, frozen)
    other = changes_between_calls(runner, way, x, frozen, base, side.said.dtype)
    return other is not None


def _located(
    runner: Runner, side: Side, coupling: Coupling, options: Options
) -> Coupling:
    coupling = replace(coupling, location=where_samples_meet(runner, side))
    if options.mode != "train":
        return coupling
    set_mode(runner.layer, "eval")
    try:
        base = runner.run(side.direction, side.x, Frozen())
        apart = coupling_of(runner, side.direction, side.x, Frozen(), base)
    except FailedCallError:
        return coupling
    finally:
        set_mode(runner.layer, options.mode)
    return replace(coupling, by_mode=apart is None or apart.output <= _COUPLED)


@on_failure(None)
def where_samples_meet(runner: Runner, side: Side) -> Location | None:
    """Return the statement that makes a sample depend on its companions.

    Two recordings differ in the companions alone. The first value of the kept sample that
    moves shows that they have met; what it was computed from, where.
    """
    x, batch = side.x, len(side.x)
    here = _recorded(runner, side, x)
    there = _recorded(runner, side, torch.cat([x[:1], x[:-1]]))
    if [n.name for n in here] != [n.name for n in there]:
        return None
    pairs = [*zip(here, there, strict=True)]
    moved = {a for a, b in pairs if _moves(a, b, batch) is not False}
    for node, other in pairs:
        if node.function is not None and _moves(node, other, batch):
            return location_of(_reduction(node, moved, batch).place)
    return None


def _recorded(runner: Runner, side: Side, x: torch.Tensor) -> list[Node]:
    recorder = Recorder()
    runner.run(side.direction, x, Frozen(), Manner(recorder=recorder))
    recorder.forget()
    return recorder.nodes


def _moves(a: Node, b: Node, batch: int) -> bool | None:
    """Return whether the kept sample's rows differ; None: a value of all samples does."""
    if a.value.shape != b.value.shape:
        return False
    p, q = a.value.detach().double(), b.value.detach().double()
    if a.value.dim() and len(a.value) % batch == 0 and len(a.value):
        rows = len(a.value) // batch
        return not same(p[:rows], q[:rows])
    return False if same(p, q) else None


def _reduction(node: Node, moved: set[Node], batch: int) -> Node:
    """Return where all samples were made one, among what a value was computed from."""
    while True:
        parents = [p for p in node.parents if p in moved and p.function is not None]
        common = [p for p in parents if not p.value.dim() or len(p.value) % batch]
        if not common:
            return node
        node = common[0]


EXPERIMENT = Experiment(
    name="conduct",
    run=_run,
    after=("uninitialised-memory", "convergence", "float32-parity"),
)
