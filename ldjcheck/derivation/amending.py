"""What should stand there instead: the true term of a step that is wrong, and the edit.

Where no known mistake explains a line, or a step has no term at all, the map itself says
what the term is. It is written in the place of the least that makes the direction right: a
derivative, a term, or else all of the ldj's arithmetic.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ldjcheck.derivation.program import Program
from ldjcheck.derivation.ways import Way, ways_of
from ldjcheck.derivation.writing.edits import Said
from ldjcheck.mistakes.engine.closeness import fits
from ldjcheck.mistakes.engine.places import source_text
from ldjcheck.mistakes.mending import wants_derived
from ldjcheck.mistakes.mending.repair import repair
from ldjcheck.mistakes.mending.rerun import Rehearsal
from ldjcheck.mistakes.mending.search import LEAST, MOST_OF_ONE, WORK
from ldjcheck.mistakes.mending.verify import Plans, Verification, Weighed
from ldjcheck.mistakes.rewriting.sites import real_file
from ldjcheck.mistakes.terms import missing_term
from ldjcheck.records import (
    Comparison,
    Diagnosis,
    Direction,
    Finding,
    Fix,
    Location,
)
from ldjcheck.revision import Live, Replacement, SourceText, is_disjoint
from ldjcheck.running.bench import Bench
from ldjcheck.tape import Node, location_of

_UNNAMED = ("LDJ120", "LDJ199")
_LONGEST = 60  # characters of what is quoted
_TOLD = 3  # terms of one direction


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cure:
    """An edit with which a direction agrees wherever it was measured, and what it says."""

    direction: Direction
    changes: tuple[Replacement, ...]
    told: tuple[str, ...]


def with_derived_terms(
    findings: tuple[Finding, ...],
    diagnoses: Sequence[Diagnosis],
    comparison: Comparison,
    bench: Bench,
    plans: Plans,
) -> tuple[Finding, ...]:
    """Return the findings of wrong terms, with what the map itself says they should be.

    Only where no verified fix is known yet. The edit counts as verified as any other does.
    """
    asked = [finding for finding in findings if wants_derived(finding)]
    first = comparison.measurement.measured[0]
    wrong: list[Direction] = [
        v.direction
        for v in comparison.verdicts
        if (v.mismatched or v.form is not None) and first.of(v.direction).answered
    ]
    if not asked or not wrong:
        return findings
    sides = [first.of(direction) for direction in wrong]
    ways = [
        way
        for way in ways_of(bench, bench.calls, first.probe, sides)
        if isinstance(way.found, Program)
    ]
    if not ways:
        return findings
    live = Live(list(dict.fromkeys(c.file for way in ways for c in way.changes)))
    cures = [
        list(_cures(live, way, asked, diagnoses, comparison, bench)) for way in ways
    ]
    fix, chosen = None, tuple(each[-1] for each in cures if each)
    if len(ways) == len(wrong) and all(cures):
        verification = Verification(bench, comparison, plans)
        fix, chosen = _verified(live, cures, verification) or (None, chosen)
    told = {cure.direction: cure.told for cure in chosen}
    lacking = {way.direction: _left_out(way) for way in ways} if fix else {}

    def amended(finding: Finding) -> Finding:
        direction = finding.direction or "forward"
        lines, step = told.get(direction, ()), lacking.get(direction)
        text = None if step is None else source_text(step.place)
        if step is not None and text is not None and finding.code in _UNNAMED:
            place = location_of(step.place)
            return replace(missing_term.of_a_step(finding, text, place, lines), fix=fix)
        return replace(
            finding,
            fix=finding.fix if fix is None else fix,
            location=_where(finding, fix),
            evidence=(*finding.evidence, *lines),
        )

    return tuple(amended(each) if each in asked else each for each in findings)


def _left_out(way: Way) -> Node | None:
    """Return the value behind the one step whose term is all that is missing, if one is."""
    if way.call is None or not isinstance(way.found, Program):
        return None
    trace = way.call.trace
    found = [
        value
        for value, amount in way.found.amounts
        if fits(trace, trace.reported + amount, trace.exact)
    ]
    return found[0] if len(found) == 1 and len(way.found.amounts) > 1 else None


def _where(finding: Finding, fix: Fix | None) -> Location | None:
    """Return where the mistake stands: the line that must change, if it is one alone."""
    if fix is None or finding.code != "LDJ120" or len(fix.edits) != 1:
        return finding.location
    (edit,) = fix.edits
    place = finding.location
    if place is not None and (place.file, place.line) == (edit.file, edit.line):
        return place
    text = edit.before.strip()
    return Location(file=edit.file, line=edit.line, cell=edit.cell, text=text)


def _verified(
    live: Live, cures: Sequence[Sequence[_Cure]], verification: Verification
) -> tuple[Fix, tuple[_Cure, ...]] | None:
    """Return the plainest edit of all directions that makes the whole layer right.

    One that does so by chance is told where there is none that does by no chance.
    """

    def weighed(chosen: tuple[_Cure, ...]) -> Weighed | None:
        changes = tuple(dict.fromkeys(c for cure in chosen for c in cure.changes))
        return verification.weighed(live, changes) if is_disjoint(changes) else None

    return repair(live, ((each, weighed(each)) for each in itertools.product(*cures)))


def _cures(
    live: Live,
    way: Way,
    asked: Sequence[Finding],
    diagnoses: Sequence[Diagnosis],
    comparison: Comparison,
    bench: Bench,
) -> Iterator[_Cure]:
    """Yield the least edit that helps, where there is one, and the one of everything."""
    assert isinstance(way.found, Program)
    rehearsal = Rehearsal(bench, comparison.measurement.measured, way.direction)
    if len(rehearsal) and rehearsal.shows_mistake:
        tries = max(LEAST, min(MOST_OF_ONE, WORK // rehearsal.work))
        sites = list(_sites(live, way, asked, diagnoses))
        for cure in itertools.islice(_least(sites, way), tries):
            if live.tried(cure.changes, rehearsal.agrees):
                yield cure
                break
    said = way.found.said if len(way.found.said) <= _TOLD else ()
    told = tuple(_terms_told(said))
    yield _Cure(direction=way.direction, changes=way.changes, told=told)


def _terms_told(said: Sequence[Said]) -> Iterator[str]:
    """Yield the term of each line, as a sum where it has several."""
    by_line: dict[int, list[Said]] = {}
    for each in said:
        by_line.setdefault(_line(each), []).append(each)
    for line, terms in by_line.items():
        sum_ = ""
        for each in terms:
            text = each.text if each.part is None else each.part.after(None)
            taken_off = text.startswith("-")
            sum_ += f" - {text[1:]}" if sum_ and taken_off else f" + {text}"
        yield f"The ldj of line {line} is {sum_.removeprefix(' + ')}."


def _sites(
    live: Live, way: Way, asked: Sequence[Finding], diagnoses: Sequence[Diagnosis]
) -> Iterator[tuple[SourceText, ast.stmt]]:
    """Yield the statements that serve the ldj, the blamed one first."""
    lines: dict[tuple[str, int], None] = {}
    for finding in asked:
        if finding.direction == way.direction and finding.location is not None:
            lines.setdefault((real_file(finding.location), finding.location.line))
    for diagnosis in diagnoses:
        if diagnosis.direction == way.direction:
            lines.update({(s.file, s.line): None for s in diagnosis.touched})
    for file, line in lines:
        source = live.sources.get(file)
        found = [] if source is None else source.statements.get(line, [])
        for statement in found:
            assert source is not None
            yield source, statement


def _least(sites: Sequence[tuple[SourceText, ast.stmt]], way: Way) -> Iterator[_Cure]:
    """Yield what puts a derivative, or a term, in the place of one expression.

    A term stands in no loop: it would be written anew in every round.
    """
    assert isinstance(way.found, Program)
    written = [(s, node) for s, statement in sites for node in _expressions(statement)]
    written.sort(key=lambda item: not _computes(item[1]))
    for source, node in written:
        for said in way.found.said:
            if said.part is not None and said.part.derivative:
                yield _put(source, node, said.part.derivative, way, said, "derivative")
    once = [(s, statement) for s, statement in sites if not _is_repeated(s, statement)]
    for source, statement in once:
        for said in way.found.said:
            if said.part is None:
                continue
            for node, minus in _addends(statement):
                part = replace(said.part, minus=said.part.minus != minus)
                yield _put(source, node, part.after(None), way, said, "term")


def _is_repeated(source: SourceText, node: ast.AST) -> bool:
    """Return whether a statement stands in a loop of its function."""
    function = source.function_of(node)
    while node is not function and node in source.parents:
        node = source.parents[node]
        if isinstance(node, ast.For | ast.While):
            return True
    return False


def _put(
    source: SourceText, node: ast.expr, text: str, way: Way, said: Said, what: str
) -> _Cure:
    old = source.text(node)
    around = source.parents[node]
    bare = isinstance(around, (ast.stmt, ast.Call, ast.keyword, ast.Tuple))
    written = text if bare else f"({text})"
    told: tuple[str, ...] = ()
    if len(old) <= _LONGEST and len(text) <= _LONGEST:
        told = (f"The {what} of line {_line(said)} is {text}, not {old}.",)
    change = source.put(node, written)
    return _Cure(direction=way.direction, changes=(change,), told=told)


def _line(said: Said) -> int:
    return 0 if said.place is None else said.place.line


def _computes(node: ast.expr) -> bool:
    """Return whether an expression is more than a name for what another line computes."""
    return any(isinstance(each, ast.BinOp) for each in ast.walk(node))


def _expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield what may be a derivative: what a logarithm is taken of, then what has a name."""
    inside = [node for node in ast.walk(statement) if isinstance(node, ast.expr)]
    for node in inside:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in ("log", "abs"):
            yield from node.args[:1] or [node.func.value]
    if isinstance(statement, ast.Assign):
        yield statement.value


def _addends(statement: ast.stmt) -> Iterator[tuple[ast.expr, bool]]:
    """Yield what may be a term: the sum itself, its addends, and whether they are taken off."""
    if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple):
        values = [(value, False) for value in statement.value.elts[1:]]
    elif isinstance(statement, ast.AugAssign):
        values = [(statement.value, isinstance(statement.op, ast.Sub))]
    elif (
        isinstance(statement, (ast.Assign, ast.Return)) and statement.value is not None
    ):
        values = [(statement.value, False)]
    else:
        return
    while values:
        node, minus = values.pop(0)
        yield node, minus
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            values.append((node.left, minus))
            values.append((node.right, minus != isinstance(node.op, ast.Sub)))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            values.append((node.operand, not minus))
