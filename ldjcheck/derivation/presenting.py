"""From programs to records: steps, what was in the way of some, and what is in doubt."""

from __future__ import annotations

import linecache
from collections.abc import Iterator

import torch

from ldjcheck.cells import split_cell
from ldjcheck.derivation.program import Program, Refusal
from ldjcheck.records import Comparison, DerivedStep, Direction, Obstacle, Verdict
from ldjcheck.tape import location_of, shown_file


def doubts_about(after: Comparison | None) -> tuple[str, ...]:
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


_INSTEAD = (
    "ldjcheck.exact_ldj gives the value at small sizes; at large ones the trace of a power "
    "series, or of the ODE, is estimated with random vectors"
)


def steps_of(program: Program, direction: Direction) -> Iterator[DerivedStep]:
    """Yield the derived statements of one direction, as a report shows them."""
    for said in program.said:
        place = said.place
        if place is None:
            continue
        file, cell = split_cell(place.file)
        yield DerivedStep(
            direction=direction,
            file=shown_file(file),
            cell=cell,
            line=place.line,
            text=linecache.getline(place.file, place.line).strip(),
            term=said.text,
            why=said.why,
        )


def obstacle_of(refusal: Refusal, direction: Direction) -> Obstacle:
    """Return what was in the way, and what is to be had instead."""
    place = None if refusal.at is None else refusal.at.place
    return Obstacle(
        direction=direction,
        why=refusal.why,
        instead=_INSTEAD,
        location=location_of(place),
    )
