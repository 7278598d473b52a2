"""The one statement to point at where nothing is known but that something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ldjcheck.mistakes.engine.ledger.pairing import Part, left_over
from ldjcheck.mistakes.engine.source.places import location_of
from ldjcheck.records import Location
from ldjcheck.tape import Place

if TYPE_CHECKING:
    from ldjcheck.mistakes.engine.case import Case


def suspect_of(case: Case, *, adds_up: bool) -> Location | None:
    """Return the statement that holds the whole difference, when there is just one.

    It is the only one of the ldj's own arithmetic; or, where steps and terms of the traces
    `add_up`, the only one whose terms and steps part ways while all others cancel.
    """
    own = [node.place for node in case.traces[0].own if node.place is not None]
    alone = _only(own)
    if alone is not None or not adds_up or not case.finite:
        return location_of(alone)
    left = left_over(case)
    if left is None:
        return None
    steps, terms = left
    if _only(_places(steps)) is None:
        return None
    return location_of(_only(_places(terms)))


def _places(parts: Sequence[Part]) -> list[Place]:
    places = [part.place for part in parts if part.place is not None]
    return places if len(places) == len(parts) else []


def _only(places: Sequence[Place]) -> Place | None:
    """Return the last of some places if they are all on one line."""
    lines = {(place.file, place.line): place for place in places}
    return next(iter(lines.values())) if len(lines) == 1 else None
