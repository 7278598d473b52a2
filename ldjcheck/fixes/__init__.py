"""Fixes: edits of the user's source, each run before it is offered.

Rules have named what is wrong. Here the source is edited in memory, only the edited
functions are compiled and run in the place of the running ones for a moment, and an edit
counts as verified when the whole layer then agrees: at the inputs that were measured, and
at shapes, parameters and regions that nothing was concluded from. Nothing is written.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.diagnosis.places import shown_file
from ldjcheck.fixes.drawing import edits_of
from ldjcheck.fixes.search import Question, runs_with, working
from ldjcheck.fixes.sites import real_file
from ldjcheck.fixes.verify import Plans, Verification
from ldjcheck.measure import Rehearsal
from ldjcheck.records import Fix
from ldjcheck.revision import Live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.measure import Settled
    from ldjcheck.records import Comparison, Diagnosis, Edit, Finding
    from ldjcheck.revision import Replacement

__all__ = ["Plans", "with_fixes"]


def with_fixes(
    findings: tuple[Finding, ...],
    diagnoses: Sequence[Diagnosis],
    comparison: Comparison,
    settled: Settled,
    plans: Plans,
) -> tuple[Finding, ...]:
    """Return the findings, with the edit that mends them where one was found.

    All mistakes of a layer are mended together: what is offered makes the whole layer
    right, so every finding that it mends carries the same edits.
    """
    questions = list(_questions(findings, diagnoses, comparison, settled))
    if not questions:
        return findings
    live = Live(_files(questions))
    fix = _fix(live, questions, Verification(settled, comparison, plans))
    if fix is None:
        return findings
    mended = {id(question.finding) for question in questions}
    return tuple(replace(f, fix=fix) if id(f) in mended else f for f in findings)


def _questions(
    findings: Sequence[Finding],
    diagnoses: Sequence[Diagnosis],
    comparison: Comparison,
    settled: Settled,
) -> list[Question]:
    """Return what has to be mended; nothing when a part of it is out of reach."""
    found = []
    for diagnosis in diagnoses:
        here = [
            f
            for f in findings
            if f.direction == diagnosis.direction and _is_mendable(f)
        ]
        if not here:
            continue
        measured = comparison.measurement.measured
        rehearsal = Rehearsal(settled, measured, diagnosis.direction)
        if not len(rehearsal):
            continue
        if len(here) != max(1, len(diagnosis.mistakes)):
            continue
        mistakes = diagnosis.mistakes or ((),)
        for finding, explanations in zip(here, mistakes, strict=True):
            found.append(
                Question(
                    finding=finding,
                    explanations=explanations,
                    diagnosis=diagnosis,
                    rehearsal=rehearsal,
                )
            )
    return found


def _is_mendable(finding: Finding) -> bool:
    """Return whether a finding is about the ldj's own code."""
    mends = finding.code.startswith("LDJ1") or finding.name in (
        "wrong-shape", "not-reduced", "inverse-sign", "incoming-ldj-ignored",
    )  # fmt: skip
    return mends and finding.severity == "error"


def _files(questions: Sequence[Question]) -> list[str]:
    files: dict[str, None] = {}
    for question in questions:
        places = [
            question.finding.location,
            *(e.location for e in question.explanations),
        ]
        for place in places:
            if place is not None:
                files.setdefault(real_file(place.file))
        for span in question.diagnosis.touched:
            files.setdefault(span.file)
    return list(files)


def _fix(
    live: Live, questions: Sequence[Question], verification: Verification
) -> Fix | None:
    """Return the edit that makes the whole layer right."""
    directions = list(dict.fromkeys(q.finding.direction for q in questions))
    if len(questions) != len(directions):
        return None
    first, *others = questions
    for changes in working(live, first):
        together = _joined(live, changes, others)
        if together is None:
            continue
        residual = verification.residual(live, together)
        if residual is not None:
            return _drawn(live, together, residual)
    return None


def _joined(
    live: Live, changes: tuple[Replacement, ...], others: Sequence[Question]
) -> tuple[Replacement, ...] | None:
    """Return an edit of one direction, with what the other one still needs."""
    for other in others:
        if runs_with(live, changes, other.rehearsal.agrees):
            continue  # both directions share what was edited
        more = next(working(live, other, changes), None)
        if more is None:
            return None
        changes = (*changes, *more)
    return changes


def _drawn(live: Live, changes: Sequence[Replacement], residual: float) -> Fix:
    edits: list[Edit] = []
    for file in dict.fromkeys(change.file for change in changes):
        here = [change for change in changes if change.file == file]
        edits += edits_of(live.sources[file], here, shown_file(file))
    return Fix(applicability="verified", residual_after=residual, edits=tuple(edits))
