"""How a layer conducts itself over several calls, asked once, at the first configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.experiments.batch_independence import where_samples_meet
from ldjcheck.experiments.call_order import other_moments
from ldjcheck.experiments.statefulness import Histories
from ldjcheck.experiments.stochasticity import reseeded
from ldjcheck.records import Side, StateChange
from ldjcheck.running.behaviour import (
    changes_between_calls,
    coupling_of,
    difference,
)
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.writes import Watch
from ldjcheck.running.snapshot.isolation import set_mode
from ldjcheck.running.snapshot.state import changed, state_of, tensors_by_name

if TYPE_CHECKING:
    from ldjcheck.records import (
        Behaviour,
        Coupling,
        Direction,
        Options,
        Probe,
        Sides,
    )
    from ldjcheck.running.bench import Bench
    from ldjcheck.running.runner import Runner

_COUPLED = 1e-7  # relative: below it, finding out where samples meet is not worth it


def with_conduct(bench: Bench, probe: Probe, measured: Sides) -> Sides:
    """Return the measurement with what only further calls can tell."""
    runner, _, _ = bench.ready(probe)
    options = bench.options
    sides: dict[Direction, Side] = {}
    for side in measured.answered:
        sides[side.direction] = _asked(runner, side, options)
    if not sides:
        return measured
    way: Direction = "forward" if "forward" in sides else "inverse"
    first = sides[way]
    if _repeats(first.behaviour):
        back = sides.get("inverse") if way == "forward" else None
        histories = Histories(
            bench, probe, way, first.x, None if back is None else back.x
        )
        coupled = first.behaviour.coupling is not None and bool(
            first.behaviour.coupling.output > _COUPLED
        )
        found = histories.remembered(coupled=coupled)
        seen = replace(first.behaviour, state=found.state)
        sides[way] = replace(first, behaviour=seen)
        every = found.state is not None and found.state.every_call
        stales = dict(found.stale)
        # what is wrong at all moments is no other moment's
        if not stales and not every and not first.disagrees:
            other = other_moments(bench, probe, way, first.x)
            stales = {} if other is None else {way: other}
        for direction, stale in stales.items():
            if direction in sides:
                side = sides[direction]
                sides[direction] = replace(
                    side, behaviour=replace(side.behaviour, stale=stale)
                )
    return replace(
        measured,
        forward=sides.get("forward", measured.forward),
        inverse=sides.get("inverse", measured.inverse),
    )


def _repeats(seen: Behaviour) -> bool:
    return seen.unrepeatable is None and seen.state is None and seen.stale is None


def _asked(runner: Runner, side: Side, options: Options) -> Side:
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
    return replace(side, behaviour=seen)


def _settling(runner: Runner, side: Side) -> StateChange | None:
    """Return what early calls change of what the layer holds, though later ones do not.

    One that splits its own matrices anew has nothing left to split after a few calls.
    """
    before = state_of(runner.layer)
    first, second = Watch(), Watch()
    first.also(tensors_by_name(runner.layer))
    try:
        base = runner.run(side.direction, side.x, Frozen(), observer=first)
        second.also(tensors_by_name(runner.layer))
        again = runner.run(side.direction, side.x, Frozen(), observer=second)
    except (LayerRaisedError, UnexpectedReturnError):
        return None
    after = state_of(runner.layer)
    names = changed(before, after)
    if not names:
        return None
    return StateChange(
        names=names,
        every_call=True,
        settles=True,
        learned=bool(changed(before, after, ("learned",))),
        change=difference(base.y, again.y),
        location=next(
            (p for w in (first, second) for n in names if (p := w.written(n))), None
        ),
    )


def _drifts_in_eval(runner: Runner, side: Side) -> bool:
    set_mode(runner.layer, "eval")
    way, x, frozen = side.direction, side.x, Frozen()
    try:
        base = runner.run(way, x, frozen)
        other = changes_between_calls(runner, way, x, frozen, base, side.said.dtype)
    except (LayerRaisedError, UnexpectedReturnError):
        return True
    return other is not None


def _located(
    runner: Runner, side: Side, coupling: Coupling, options: Options
) -> Coupling:
    where = where_samples_meet(runner, side)
    by_mode = False
    if options.mode == "train":
        set_mode(runner.layer, "eval")
        try:
            base = runner.run(side.direction, side.x, Frozen())
            apart = coupling_of(runner, side.direction, side.x, Frozen(), base)
            by_mode = apart is None or apart.output <= _COUPLED
        except (LayerRaisedError, UnexpectedReturnError):
            by_mode = False
        finally:
            set_mode(runner.layer, options.mode)
    return replace(coupling, location=where, by_mode=by_mode)
