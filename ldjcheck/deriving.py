"""Deriving the ldj of a layer: record it, derive every step, edit, run, compare.

What is derived from one recorded call is run at other shapes, batches, inputs and
parameters, in both directions, by what verifies the fixes of a check as well.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.faults import failed_result, fault_of_layer
from ldjcheck.judging.measurement import compared
from ldjcheck.records import (
    Comparison,
    Derived,
    Layer,
    Obstacle,
    Options,
    Result,
    Status,
)
from ldjcheck.revision import Live, Replacement
from ldjcheck.settling.map_alone import MapSubject, settle_map

if TYPE_CHECKING:
    from ldjcheck.derivation.ways import Way

_FRESH = 9001  # how far the seeds of a verification are from those of the derivation
_BY_CHANCE = "it is off for events of other ranks, or with other numbers held"


def derive_layer(
    layer: Layer, options: Options, started: float | None = None, tell: object = None
) -> Result:
    """Return the derived ldj of a layer; the layer's own faults never raise.

    `tell` is not called: half a derivation is none.
    """
    from ldjcheck.running.snapshot.isolation import undisturbed, unharmed
    from ldjcheck.running.snapshot.namespace import Namespace

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


def _derived(mapped: MapSubject, options: Options) -> Result:
    subject = mapped.subject
    # Where digits are lost on the way is nothing to derive from.
    bench = replace(subject.bench, losses=False, behaviour=False)
    plain = replace(subject, bench=bench)
    comparison = compared(plain, values_alone=True)
    _no_sampler(subject.layer, comparison)
    ways = _ways(mapped, comparison)
    derived = _judged(mapped, options, comparison, ways)
    status: Status = "pass" if derived.applicability == "verified" else "unproven"
    return Result(
        target=subject.layer.target,
        layer=subject.layer.name,
        status=status,
        convention=mapped.promised.convention,
        kind="bijection",
        inferred=subject.inferred,
        checks=tuple(c for c in comparison.checks if c.name == "ldj"),
        derived=derived,
    )


def _no_sampler(layer: Layer, comparison: Comparison) -> None:
    """Raise CannotCheckError, LDJ004, for a call that returns a draw and log q of it."""
    from ldjcheck.conventions import recognise_conventions

    drawn = comparison.measurement.measured[0].forward.exact.wrt == "noise"
    if drawn and any(calls.of_noise for calls in recognise_conventions(layer.obj)):
        raise CannotCheckError(
            "LDJ004",
            "This call draws what it returns: it has a log q, and no ldj of its input.",
            (
                "log q(z) is log p(noise) less the ldj of each layer that the draw goes",
                "through. Name one of them to have its ldj derived.",
            ),
        )


def _ways(mapped: MapSubject, comparison: Comparison) -> list[Way]:
    from ldjcheck.derivation.ways import ways_of

    first = comparison.measurement.measured[0]
    back = mapped.subject.bench.calls.inverse
    sides = [first.forward]
    if back is not None and back.tracked and not back.derived:
        sides.append(first.inverse)
    asked = [
        side
        for side in sides
        if side.answered
        and side.exact.ldj is not None
        and not (side.said.bare and side.direction == "inverse")  # none is asked for
    ]
    return ways_of(mapped.subject.bench, mapped.promised, first.probe, asked)


def _judged(
    mapped: MapSubject,
    options: Options,
    comparison: Comparison,
    ways: list[Way],
) -> Derived:
    """Return what was derived, run where nothing was derived from."""
    from ldjcheck.derivation.presenting import obstacle_of, steps_of
    from ldjcheck.derivation.program import Program
    from ldjcheck.mistakes.mending.repair import edits_of

    programs = [(w.direction, w.found) for w in ways if isinstance(w.found, Program)]
    steps = tuple(s for way, found in programs for s in steps_of(found, way))
    obstacles: tuple[Obstacle, ...] = tuple(
        obstacle_of(way.found, way.direction)
        for way in ways
        if not isinstance(way.found, Program)
    )
    if not programs:
        return Derived(applicability="none", obstacles=obstacles)
    off = any(v.mismatched or v.form is not None for v in comparison.verdicts)
    is_right = not mapped.is_silent and not off
    changes = _changes(ways)
    live = Live(list(dict.fromkeys(change.file for change in changes)))
    residual, doubts = _run(mapped, options, comparison, ways, live)
    total = " ".join(s.term for s in steps if s.direction == programs[0][0])
    return Derived(
        applicability="suggested" if residual is None else "verified",
        residual_after=residual,
        total=total or "0",
        steps=steps,
        edits=() if is_right else edits_of(live, changes),
        obstacles=obstacles,
        doubts=doubts,
        is_right=is_right,
    )


def _changes(ways: list[Way]) -> tuple[Replacement, ...]:
    return tuple(dict.fromkeys(c for way in ways for c in way.changes))


def _run(
    mapped: MapSubject,
    options: Options,
    comparison: Comparison,
    ways: list[Way],
    live: Live,
) -> tuple[float | None, tuple[str, ...]]:
    """Return by how much the edited layer is off at most, in nats; or what is wrong of it."""
    from ldjcheck.derivation.presenting import doubts_about
    from ldjcheck.mistakes.mending.verify import Plans, Verification
    from ldjcheck.settling.ranks import at_all_ranks

    fresh = replace(options, seed=options.seed + _FRESH)
    subject = mapped.subject
    bench = replace(subject.bench, calls=mapped.promised)
    plan = replace(subject, asked=fresh).probes()
    ranks = at_all_ranks(subject.bench, plan[0])
    plans = Plans(closely=plan[:1], by_value=plan[1:], ranks=ranks)
    before = replace(
        comparison,
        measurement=replace(comparison.measurement, calls=mapped.promised),
    )
    verification = Verification(bench, before, plans, live)
    changes = _changes(ways)
    after = verification.compared(changes)
    if after is None or not verification.agrees(after):
        return None, doubts_about(after)
    if not verification.is_general(changes, [w.direction for w in ways]):
        return None, (_BY_CHANCE,)
    return verification.largest(after), ()
