"""Looking for the plainest edit of the source that makes reported and exact agree."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ldjcheck.fixes import ways
from ldjcheck.fixes.sites import Change, Site, sites_for
from ldjcheck.revision import Live, Replacement, StaleSourceError, is_disjoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ldjcheck.measure import Rehearsal
    from ldjcheck.records import Diagnosis, Explanation, Finding

MOST = 160  # candidates that are run for what the diagnosis says
MOST_AT_ALL = 320  # and for everything else that is tried after those
VERIFIED = 4  # candidates that are measured anew
PATIENCE = 8.0  # seconds: layers that run long are given fewer tries
_EXPLANATIONS = 5
_SITES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One finding to be mended: what explains it, and how to run its direction again."""

    finding: Finding
    explanations: Sequence[Explanation]
    diagnosis: Diagnosis
    rehearsal: Rehearsal


def candidates(live: Live, question: Question) -> Iterator[tuple[Replacement, ...]]:
    """Yield edits for one finding, the plainest first, no edit twice."""
    seen: set[tuple[Replacement, ...]] = set()
    for changes in _rounds(live, question):
        for change in sorted(changes, key=_plainness):
            if change.replacements not in seen and is_disjoint(change.replacements):
                seen.add(change.replacements)
                yield change.replacements


def _rounds(live: Live, question: Question) -> Iterator[list[Change]]:
    """Yield what the diagnosis suggests, explanation by explanation, then anything."""
    finding, touched = question.finding, question.diagnosis.touched
    form = ways.FORM.get(finding.name)
    if form is not None:
        sites = sites_for(live, finding.location, touched)[:_SITES]
        yield [c for site in sites for way in form for c in _ranked(site, way(site))]
    for explanation in question.explanations[:_EXPLANATIONS]:
        place = explanation.location or finding.location
        sites = sites_for(live, place, touched, explanation.operand)[:_SITES]
        yield [
            change
            for site in sites
            for change in _ranked(site, ways.changes(site, explanation))
        ]
    sites = sites_for(live, finding.location, touched)[:_SITES]
    yield [
        change
        for site in sites
        for way in ways.ANYTHING
        for change in _ranked(site, way(site))
    ]


def _ranked(site: Site, changes: Iterator[Change]) -> Iterator[Change]:
    for change in changes:
        yield Change(change.cost + site.rank, change.replacements)


def _plainness(change: Change) -> tuple[float, int]:
    return round(change.cost, 6), sum(len(c.text) for c in change.replacements)


def working(
    live: Live, question: Question, base: Sequence[Replacement] = ()
) -> Iterator[tuple[Replacement, ...]]:
    """Yield edits with which the direction agrees wherever it was measured."""
    started, found = time.perf_counter(), 0
    for number, changes in enumerate(candidates(live, question)):
        late = time.perf_counter() - started > PATIENCE
        if number >= MOST_AT_ALL or found >= VERIFIED or late:
            return
        if base and not is_disjoint((*base, *changes)):
            continue
        if runs_with(live, (*base, *changes), question.rehearsal.agrees):
            found += 1
            yield changes


def runs_with(
    live: Live, changes: Sequence[Replacement], question: Callable[[], bool]
) -> bool:
    """Return the answer to a question that is asked while edited code runs."""
    with contextlib.suppress(StaleSourceError, SyntaxError), live.edited(changes):
        return question()
    return False
