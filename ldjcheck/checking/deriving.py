"""Deriving the ldj of a layer: record it, derive every step, edit, run, compare.

What is derived from one recorded call is run at other shapes, batches, inputs and
parameters, in both directions, by what verifies the fixes of a check as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING

from ldjcheck import probe
from ldjcheck.checking.faults import failed_result, fault_of_layer
from ldjcheck.checking.mapping import settle_map
from ldjcheck.compare import compare
from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Derived, DirectionMeasured, Measurement, Result

if TYPE_CHECKING:
    from ldjcheck.checking.mapping import MapSetting
    from ldjcheck.derivation.execution import Recorded
    from ldjcheck.derivation.program import Program, Refusal
    from ldjcheck.records import (
        Comparison,
        Config,
        Direction,
        Layer,
        Obstacle,
        Options,
        Status,
    )
    from ldjcheck.revision import Replacement

_FRESH = 9001  # how far the seeds of a verification are from those of the derivation


def derive_layer(
    layer: Layer, options: Options, started: float | None = None, tell: object = None
) -> Result:
    """Return the derived ldj of a layer; the layer's own faults never raise.

    `tell` is not called: half a derivation is none.
    """
    from ldjcheck.measure import Namespace, undisturbed, unharmed

    started = perf_counter() if started is None else started
    torch_before = Namespace()
    try:
        with undisturbed(), unharmed(layer.obj):
            result = _derived(settle_map(layer, options), options)
    except CannotCheckError as error:
        result = failed_result(layer.target, error, layer=layer.name)
    except Exception as error:
        fault = fault_of_layer(layer, error, torch_before)
        if fault is None:
            raise
        result = failed_result(layer.target, fault, layer=layer.name)
    return replace(result, seconds=perf_counter() - started)


@dataclass(frozen=True, slots=True, eq=False)
class _Way:
    """One direction, with what was derived of it."""

    direction: Direction
    found: Program | Refusal
    call: Recorded | None  # None where it could not be recorded


def _derived(setting: MapSetting, options: Options) -> Result:
    comparison = _compared(setting, options)
    ways = _ways(setting, comparison)
    changes = tuple(dict.fromkeys(c for way in ways for c in _changes(way.found)))
    derived = _judged(setting, options, comparison, ways, changes)
    status: Status = "pass" if derived.applicability == "verified" else "unproven"
    return Result(
        target=setting.layer.target,
        layer=setting.layer.name,
        status=status,
        convention=setting.promised.convention,
        kind="bijection",
        inferred=setting.inferred,
        checks=tuple(c for c in comparison.checks if c.name == "ldj"),
        derived=derived,
    )


def _compared(setting: MapSetting, options: Options) -> Comparison:
    """Return what the layer says so far: all that is needed is where it is wrong."""
    from ldjcheck.measure import measure_values

    settled = setting.settled
    settled = replace(settled, workshop=replace(settled.workshop, losses=False))
    configs = probe.plan_configs(
        settled.shape, setting.others, settled.domain, options,
        has_parameters=setting.has_parameters,
    )  # fmt: skip
    measured, _, notes = measure_values(settled, configs[:2])
    return compare(
        Measurement(
            layer=setting.layer,
            calls=settled.calls,
            options=options,
            measured=measured,
            has_parameters=setting.has_parameters,
            inferred={**setting.inferred, **notes},
            float32_only=settled.float32_only,
        )
    )


def _ways(setting: MapSetting, comparison: Comparison) -> list[_Way]:
    first = comparison.measurement.measured[0]
    calls = setting.settled.calls
    sides = [first.forward]
    if calls.inverse_tracked and not calls.inverse_derived:
        sides.append(first.inverse)
    found = []
    for side in sides:
        if not isinstance(side, DirectionMeasured) or side.exact is None:
            continue
        if side.bare and side.direction == "inverse":
            continue  # it hands back no ldj, and none is asked for
        found.append(_way(setting, first.config, side))
    if _clash(found):
        found = [replace(w, found=_literally(w)) for w in found]
    return _with_ways_back(found)


def _clash(ways: list[_Way]) -> bool:
    """Return whether two directions want different terms at one place."""
    changes = {change for way in ways for change in _changes(way.found)}
    places: dict[tuple[str, int, int], str] = {}
    for change in changes:
        at = change.file, change.line, change.column
        if places.setdefault(at, change.text) != change.text:
            return True
    return False


def _literally(way: _Way) -> Program | Refusal:
    from ldjcheck.derivation.program import derive_call

    return way.found if way.call is None else derive_call(way.call, literal=True)


def _with_ways_back(ways: list[_Way]) -> list[_Way]:
    """Return the ways; a way back that has no terms of its own asks the way there."""
    from ldjcheck.derivation.program import Program
    from ldjcheck.derivation.way_back import by_the_way_there

    if len(ways) != 2 or not isinstance(ways[0].found, Program):
        return ways
    there, back = ways
    if isinstance(back.found, Program) or there.call is None or back.call is None:
        return ways
    found = by_the_way_there(back.call, there.call)
    return ways if found is None else [there, replace(back, found=found)]


def _way(setting: MapSetting, config: Config, side: DirectionMeasured) -> _Way:
    from ldjcheck.derivation.execution import Observer, recorded
    from ldjcheck.derivation.forms import form_of
    from ldjcheck.derivation.program import Refusal, derive_call
    from ldjcheck.measure.configuration import ready
    from ldjcheck.measure.trace import UntraceableError, record

    settled = setting.settled
    runner, _, _ = ready(settled.workshop, settled.calls, config)
    observer = Observer()
    try:
        trace = record(runner, config, side, observer)
    except UntraceableError:
        trace, why = None, "an operation of the map cannot be run again by itself"
    else:
        why = "what the call computes cannot be followed"
    if trace is None:
        return _Way(side.direction, Refusal(why=why), None)
    form = form_of(setting.promised, side.direction)
    call = recorded(trace, observer.executions, form)
    return _Way(side.direction, derive_call(call), call)


def _changes(found: Program | Refusal) -> tuple[Replacement, ...]:
    return getattr(found, "changes", ())


def _judged(
    setting: MapSetting,
    options: Options,
    comparison: Comparison,
    ways: list[_Way],
    changes: tuple[Replacement, ...],
) -> Derived:
    """Return what was derived, run where nothing was derived from."""
    from ldjcheck.derivation.presenting import obstacle_of, steps_of
    from ldjcheck.derivation.program import Program

    programs = [(w.direction, w.found) for w in ways if isinstance(w.found, Program)]
    steps = tuple(s for way, found in programs for s in steps_of(found, way))
    obstacles: tuple[Obstacle, ...] = tuple(
        obstacle_of(way.found, way.direction)
        for way in ways
        if not isinstance(way.found, Program)
    )
    if not programs:
        return Derived(applicability="none", obstacles=obstacles)
    is_right = not setting.is_silent and _is_right(comparison)
    residual, doubts = _run(setting, options, comparison, changes)
    total = " ".join(s.term for s in steps if s.direction == programs[0][0])
    return Derived(
        applicability="suggested" if residual is None else "verified",
        residual_after=residual,
        total=total or "0",
        steps=steps,
        edits=() if is_right else _drawn(changes),
        obstacles=obstacles,
        doubts=doubts,
        is_right=is_right,
    )


def _run(
    setting: MapSetting,
    options: Options,
    comparison: Comparison,
    changes: tuple[Replacement, ...],
) -> tuple[float | None, tuple[str, ...]]:
    """Return by how much the edited layer is off at most, in nats; or what is wrong of it."""
    from ldjcheck.derivation.doubts import doubts_about
    from ldjcheck.fixes.verify import Plans, Verification
    from ldjcheck.revision import Live

    fresh = replace(options, seed=options.seed + _FRESH)
    settled = replace(setting.settled, calls=setting.promised)
    plan = probe.plan_configs(
        settled.shape, setting.others, settled.domain, fresh,
        has_parameters=setting.has_parameters,
    )  # fmt: skip
    plans = Plans(closely=plan[:1], by_value=plan[1:])
    before = replace(
        comparison,
        measurement=replace(comparison.measurement, calls=setting.promised),
    )
    verification = Verification(settled, before, plans)
    live = Live(list(dict.fromkeys(change.file for change in changes)))
    after = verification.compared(live, changes)
    if after is not None and verification.agrees(after):
        return verification.largest(after), ()
    return None, doubts_about(after)


def _drawn(changes: tuple[Replacement, ...]) -> tuple:
    from ldjcheck.fixes.drawing import edits_of
    from ldjcheck.revision import read_source
    from ldjcheck.tape import shown_file

    edits = []
    for file in dict.fromkeys(change.file for change in changes):
        source = read_source(file)
        assert source is not None
        here = [change for change in changes if change.file == file]
        edits += edits_of(source, here, shown_file(file))
    return tuple(edits)


def _is_right(comparison: Comparison) -> bool:
    return not any(v.mismatched or v.form is not None for v in comparison.verdicts)
