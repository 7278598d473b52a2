"""From programs to records: steps, edits that were run, obstacles, and doubts."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ldjcheck.derivation.program import Program, Refusal
from ldjcheck.derivation.ways import Way, ways_of
from ldjcheck.mistakes.mending.repair import edits_of
from ldjcheck.mistakes.mending.verify import Plans, Verification
from ldjcheck.records import Comparison, Derived, Direction, Options, Verdict
from ldjcheck.records.result import DerivedStep, Obstacle
from ldjcheck.revision import Live
from ldjcheck.settling.map_alone import MapSubject
from ldjcheck.settling.other_sizes import at_all_ranks
from ldjcheck.tape import location_of

_FRESH = 9001  # how far the seeds of a verification are from those of the derivation
_BY_CHANCE = "it is off for events of other ranks, or with other numbers held"


_INSTEAD = (
    "ldjcheck.exact_ldj gives the value at small sizes; at large ones the trace of a power "
    "series, or of the ODE, is estimated with random vectors"
)


def _ways(mapped: MapSubject, comparison: Comparison) -> list[Way]:
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


def derived_of(mapped: MapSubject, options: Options, comparison: Comparison) -> Derived:
    """Return what is derived of a map, run where nothing was derived from."""
    ways = _ways(mapped, comparison)
    steps: list[DerivedStep] = []
    obstacles: list[Obstacle] = []
    derived = [way for way in ways if isinstance(way.found, Program)]
    for way in ways:
        if isinstance(way.found, Program):
            steps += _steps_of(way.found, way.direction)
        else:
            obstacles.append(_obstacle_of(way.found, way.direction))
    if not derived:
        return Derived(applicability="none", obstacles=tuple(obstacles))
    off = any(v.mismatched or v.form is not None for v in comparison.verdicts)
    is_right = not mapped.is_silent and not off
    changes = tuple(dict.fromkeys(c for way in ways for c in way.changes))
    live = Live(list(dict.fromkeys(change.file for change in changes)))
    verification = _verification(mapped, options, comparison, live)
    residual: float | None = None
    doubts: tuple[str, ...] = ()
    after = verification.compared(changes)
    if after is None or not verification.agrees(after):
        doubts = _doubts_about(after)
    elif not verification.is_general(changes, [way.direction for way in ways]):
        doubts = (_BY_CHANCE,)
    else:
        residual = verification.largest(after)
    total = " ".join(s.term for s in steps if s.direction == derived[0].direction)
    return Derived(
        applicability="suggested" if residual is None else "verified",
        residual_after=residual,
        total=total or "0",
        steps=tuple(steps),
        edits=() if is_right else edits_of(live, changes),
        obstacles=tuple(obstacles),
        doubts=doubts,
        is_right=is_right,
    )


def _verification(
    mapped: MapSubject, options: Options, comparison: Comparison, live: Live
) -> Verification:
    """Return what asks about the edited layer, at fresh seeds, in the promised form."""
    fresh = replace(options, seed=options.seed + _FRESH)
    subject = mapped.subject
    bench = replace(subject.bench, calls=mapped.promised)
    plan = replace(subject, asked=fresh).probes()
    ranks = at_all_ranks(subject.bench, plan[0])
    plans = Plans(closely=plan[:1], by_value=plan[1:], ranks=ranks)
    measurement = replace(comparison.measurement, calls=mapped.promised)
    before = replace(comparison, measurement=measurement)
    return Verification(bench, before, plans, live)


def _doubts_about(after: Comparison | None) -> tuple[str, ...]:
    """Return what is wrong with the edited layer, most telling first."""
    if after is None:
        return ("the edited source does not compile in the place of what runs",)
    found = [*_of_values(after), *_of_the_rest(after)]
    return tuple(dict.fromkeys(found)) or ("it could not be judged",)


def _of_values(after: Comparison) -> Iterator[str]:
    for verdict in after.verdicts:
        for line in verdict.raised[-1:]:
            told = line.strip()
            raises = "it " if told.startswith("returned ") else "it raises "
            yield f"{verdict.direction}: {raises}{told}"
        if verdict.form is not None:
            yield f"{verdict.direction}: {verdict.form}"
        elif verdict.mismatched:
            yield f"{verdict.direction}: {_largest(verdict)}"


def _largest(verdict: Verdict) -> str:
    """Return where a direction is off by most."""
    worst, where = -1.0, ""
    for probe, side, good in verdict.usable:
        if side.difference is None:
            continue
        off = side.difference.abs()[good]
        size = float(off.nan_to_num(nan=torch.inf).max()) if len(off) else 0.0
        if size > worst:
            worst, where = size, f"shape {probe.shape}, seed {probe.seed}"
    return f"it is off by {worst:.2g} nats at {where}"


def _of_the_rest(after: Comparison) -> Iterator[str]:
    if after.round_trip.status == "fail":
        shape = f" at shape {after.round_trip.shape}" if after.round_trip.shape else ""
        yield f"the way back does not undo the map{shape}, with or without these lines"
    for check in after.gradients:
        if check.status == "fail":
            yield f"{check.direction}: its gradient is not that of the exact value"
    for verdict in after.verdicts:
        if verdict.vacuous is not None:
            yield f"{verdict.direction}: {verdict.vacuous}"
        elif verdict.check.status not in ("pass", "not-available"):
            yield f"{verdict.direction}: {verdict.check.status}"
        yield from (f"{verdict.direction}: {fault}" for fault in verdict.faults)


def _steps_of(program: Program, direction: Direction) -> Iterator[DerivedStep]:
    """Yield the derived statements of one direction, as a report shows them."""
    for said in program.said:
        where = location_of(said.place)
        if where is None:
            continue
        yield DerivedStep(
            direction=direction,
            file=where.file,
            cell=where.cell,
            line=where.line,
            text=where.text or "",
            term=said.text,
            why=said.why,
        )


def _obstacle_of(refusal: Refusal, direction: Direction) -> Obstacle:
    """Return what was in the way, and what is to be had instead."""
    place = None if refusal.at is None else refusal.at.place
    return Obstacle(
        direction=direction,
        why=refusal.why,
        instead=_INSTEAD,
        location=location_of(place),
    )
