"""Fixes: edits of the user's source, each run before it is offered.

Rules have named what is wrong. Here the source is edited in memory, only the edited
functions are compiled and run in the place of the running ones for a moment, and an edit
counts as verified when the whole layer then agrees: at the inputs that were measured,
among them some that showed the mistake, and at shapes, parameters and regions that nothing
was concluded from. Nothing is written.
"""

import ast
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ldjcheck.mistakes import RULES, Rule, rule_of
from ldjcheck.mistakes.counts import wrong_dims_factor
from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.mending.repair import edits_of, repair
from ldjcheck.mistakes.mending.rerun import BOTH_WAYS, Rehearsal
from ldjcheck.mistakes.mending.search import (
    Found,
    Question,
    claims_on,
    is_contested,
    solutions,
)
from ldjcheck.mistakes.mending.verify import Plans, Verification, Weighed
from ldjcheck.mistakes.rewriting.sites import Change, real_file
from ldjcheck.mistakes.terms import missing_term, unexplained_mismatch, wrong_derivative
from ldjcheck.records import (
    Comparison,
    Diagnosis,
    Edit,
    Explanation,
    Finding,
    Fix,
    Location,
)
from ldjcheck.revision import Live, Replacement
from ldjcheck.running.bench import Bench
from ldjcheck.tape.frames import is_torchs

_UNNAMED = (wrong_derivative.RULE.code, unexplained_mismatch.RULE.code)


def wants_derived(finding: Finding) -> bool:
    """Return whether only the map itself can say what belongs in a finding's place."""
    mended = finding.fix is not None and finding.fix.applicability == "verified"
    wrong = finding.severity == "error" and finding.direction is not None
    return rule_of(finding.code).derived and wrong and not mended


def with_fixes(
    findings: tuple[Finding, ...],
    diagnoses: Sequence[Diagnosis],
    comparison: Comparison,
    bench: Bench,
    plans: Plans,
) -> tuple[Finding, ...]:
    """Return the findings, with the edit that mends them where one was found.

    All mistakes of a layer are mended together: what is offered makes the whole layer
    right, so every finding that it mends carries the same edits.
    """
    questions = list(_questions(findings, diagnoses, comparison, bench))
    if not questions:
        return findings
    live = Live(_files(questions))
    plans = plans.with_values_at(c for q in questions for c in q.rehearsal.left_out)
    plans = plans.with_sizes_of(bench)
    verification = Verification(bench, comparison, plans, live)
    if plans.built:
        questions = [
            replace(q, as_built=partial(verification.is_right_as_built, [q.direction]))
            for q in questions
        ]
    found = _fix(live, questions, verification)
    if found is None:
        return findings
    fix, changes = found
    alone = len(questions) == 1
    mended = {
        id(q.finding): replace(
            _named(live, q, changes) if fix.applicability == "verified" else q.finding,
            fix=fix,
            location=in_function(live, _where(live, q, changes, alone=alone)),
        )
        for q in questions
    }
    return tuple(mended.get(id(finding), finding) for finding in findings)


def _named(live: Live, question: Question, found: Found) -> Finding:
    """Return a finding by the name that the edit which mends it gives to the mistake.

    A number that must stand there is called by the count that it is. What has no name, or
    only a line, or a region where it is right, has that of the one mistake which such an
    edit mends.
    """
    own = [c for q, c in found if q is question] or [c for _, c in found]
    (change, *more), finding = own, question.finding
    if question.is_of_a_number and change.multiplier is not None:
        told = replace(question.explanations[0], multiplier=change.multiplier)
        return _renamed(finding, wrong_dims_factor.RULE, told)
    is_regional = any(map(kinds.REGION.holds, question.explanations[:1]))
    is_of_mass = finding.code == missing_term.RULE.code and not any(
        map(claims_on, question.explanations)
    )  # of a base: by what it integrates to, and by no term
    is_named = finding.code not in _UNNAMED and not (is_regional or is_of_mass)
    if is_named or more:
        return finding
    if not (change.meant or change.lacked):
        lines = {(each.file, each.line, each.end_line) for each in change.replacements}
        is_unexplained = finding.code == unexplained_mismatch.RULE.code
        if is_unexplained and not question.is_of_contract and len(lines) == 1:
            return _renamed(finding, wrong_derivative.RULE, kinds.VALUE.explanation())
        return finding
    if change.lacked is not None:
        told = kinds.PART_UNACCOUNTED.explanation(operand=change.lacked)
        return _renamed(finding, missing_term.RULE, told)
    first = change.replacements[0]
    text = live.sources[first.file].at(
        first.line, first.column, first.end_line, first.end_column
    )
    claims = ((r, c.kind) for r in RULES for c in r.claims)
    rule, kind = next(each for each in claims if each[1].name == change.meant)
    before = (
        f"the value before line {first.line}" if kind is kinds.OTHER_POINT else None
    )
    return _renamed(finding, rule, kind.explanation(operand=text, detail=before))


def _renamed(finding: Finding, rule: Rule, told: Explanation) -> Finding:
    known = tuple(e for e in finding.evidence if e != wrong_derivative.ALONE)
    fits = (finding.name if n == rule.name else n for n in finding.also_fits)
    return replace(
        finding, code=rule.code, name=rule.name, message=rule.told(told),
        evidence=known, also_fits=tuple(fits),
    )  # fmt: skip


def _where(
    live: Live, question: Question, found: Found, *, alone: bool
) -> Location | None:
    """Return where a mistake stands: on a line that the edit which mends it changes."""
    place, best = question.finding.location, question.explanations[:1]
    own = [change for q, change in found if q is question]
    edits = edits_of(live, _replacements_of(own or [change for _, change in found]))
    there = changed_at(live, place, edits)
    if place is None or is_torchs(real_file(place)):
        return there
    if any(kinds.OVERWRITTEN.holds(e) for e in best):
        return (changed_at(live, None, edits) or there) if alone else place
    # What a library does wrong is told where it is called.
    told = (e.within for e in best if e.within and not e.spans)
    is_called = any(not _is_of_class(live, place, within) for within in told)
    return place if is_called else there


def _is_of_class(live: Live, place: Location, within: str) -> bool:
    """Return whether a line is of the class of a sublayer: `net[0]` (Coupling)."""
    return any(
        isinstance(node, ast.ClassDef) and within.endswith(f"({node.name})")
        for source, statement in live.statements(real_file(place), place.line)
        for node in source.around(statement)
    )


def changed_at(
    live: Live, place: Location | None, edits: Sequence[Edit]
) -> Location | None:
    """Return a place that edits change: where a mistake was told, or the first of them.

    Those of the same function go first, and of a long statement its first line, or one that
    changes. Edits that only add lines leave it where it was told: at the step that lacks a
    term. Torch's own lines hold no mistake.
    """
    home = _homes(live, place)
    near = [edit for edit in edits if home & _homes(live, _spot(edit))] or edits
    lines = [line for edit in near if (line := _line_of(edit)) is not None]
    if place is None:
        return next(iter(lines), None)
    if not lines and home and edits and near is edits:
        return replace(_spot(edits[0]), text=edits[0].before.strip())
    if not lines:
        return place
    if is_torchs(real_file(place)):
        return lines[0]
    start = _start(live, place)
    if start not in [_start(live, _spot(edit)) for edit in near]:
        return lines[0]
    same = [line for line in lines if _start(live, line) == start]
    begins_or_changes = place.line in (start[1], *(line.line for line in same))
    return place if begins_or_changes or not same else same[0]


def in_function(live: Live, place: Location | None) -> Location | None:
    """Return a place with the name of the function that it stands in."""
    if place is None or place.function is not None:
        return place
    home = next(iter(_homes(live, place)), None)
    return replace(place, function=getattr(home, "name", None))


def _homes(live: Live, place: Location | None) -> set[ast.AST]:
    """Return the functions that a line is of."""
    if place is None:
        return set()
    source, at = live.sources.get(real_file(place)), place.line
    around = live.statements(real_file(place), at)
    if around or source is None:
        return {source.function_of(node) for source, node in around}
    heads = [f for f in source.functions if f.lineno <= at <= (f.end_lineno or 0)]
    return {*heads[-1:]}  # of a block


def _start(live: Live, place: Location) -> tuple[str, int]:
    """Return where the statement of a line begins, by its file as it was loaded."""
    file = real_file(place)
    around = [statement.lineno for _, statement in live.statements(file, place.line)]
    return file, around[0] if around else place.line


def _spot(edit: Edit) -> Location:
    return Location(file=edit.file, line=edit.line, cell=edit.cell)


def _line_of(edit: Edit) -> Location | None:
    """Return the line that an edit changes; None where it only adds, or is torch's own."""
    here = _spot(edit)
    is_kept = edit.before in edit.after.split("\n")
    if is_kept or not edit.before.strip() or is_torchs(real_file(here)):
        return None
    return replace(here, text=edit.before.strip())


def _questions(
    findings: Sequence[Finding],
    diagnoses: Sequence[Diagnosis],
    comparison: Comparison,
    bench: Bench,
) -> list[Question]:
    """Return what has to be mended; nothing when a part of it is out of reach."""
    known = {diagnosis.direction: diagnosis for diagnosis in diagnoses}
    broken = {v.direction for v in comparison.verdicts if v.faults}
    found = []
    for direction in BOTH_WAYS:
        # About the ldj's own code.
        grave = (
            f for f in findings if (f.direction, f.severity) == (direction, "error")
        )
        here = [finding for finding in grave if rule_of(finding.code).is_mendable]
        if not here:
            continue
        diagnosis = known.get(direction, Diagnosis(direction=direction, mistakes=()))
        rehearsal = Rehearsal(bench, comparison.measurement.measured, direction)
        mistakes = diagnosis.mistakes or ((),)
        if not len(rehearsal) or len(here) != len(mistakes):
            continue
        valued = not all(rule_of(finding.code).beside_the_value for finding in here)
        if valued and not rehearsal.shows_mistake:
            continue
        found += [
            Question(
                finding=finding,
                explanations=explanations,
                diagnosis=diagnosis,
                rehearsal=rehearsal,
                known_right=(*bench.layer.known_right, *diagnosis.known_right),
                is_of_contract=direction in broken,
            )
            for finding, explanations in zip(here, mistakes, strict=True)
        ]
    return found


def _files(questions: Sequence[Question]) -> list[str]:
    files: list[str] = []
    for each in questions:
        files += [span.file for span in each.diagnosis.touched]
        places = (each.finding.location, *(e.location for e in each.explanations))
        files += [real_file(place) for place in places if place is not None]
    return list(dict.fromkeys(files))


def _fix(
    live: Live, questions: Sequence[Question], verification: Verification
) -> tuple[Fix, Found] | None:
    """Return the edit that makes the whole layer right, and what it mends of which."""
    ways: dict[str | None, list[Question]] = {}
    for question in questions:
        ways.setdefault(question.finding.direction, []).append(question)
    first, *others = ways.values()

    def weighed(found: Found) -> Weighed | None:
        touched = [span for q, _ in found for span in q.diagnosis.touched]
        told = verification.weighed(_replacements(found), touched)
        if told is None or not told.sure:
            return told
        return replace(told, sure=not any(is_contested(live, q, c) for q, c in found))

    complete = (f for f in solutions(live, first) if _completed(live, f, others))
    return repair(live, ((found, weighed(found)) for found in complete))


def _replacements(found: Found) -> tuple[Replacement, ...]:
    return _replacements_of([change for _, change in found])


def _replacements_of(changes: Sequence[Change]) -> tuple[Replacement, ...]:
    return tuple(r for change in changes for r in change.replacements)


def _completed(live: Live, found: Found, others: Sequence[Sequence[Question]]) -> bool:
    """Add to an edit of one direction what the other one still needs, if it can be found."""
    for other in others:
        changes = _replacements(found)
        if live.tried(changes, other[0].rehearsal.agrees):
            continue  # both directions share what was edited
        more = next(solutions(live, other, changes), None)
        if more is None:
            return False
        found += more
    return True
