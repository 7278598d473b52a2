"""From programs to records: steps with their lines, edits, and what was in the way."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ldjcheck.cells import split_cell
from ldjcheck.records import DerivedStep, Direction, Obstacle
from ldjcheck.tape import location_of, shown_file

if TYPE_CHECKING:
    from ldjcheck.derivation.program import Program, Refusal

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
