"""What should stand there instead: the true term of a step that is wrong, and the edit.

Where no known mistake explains a line, or a step has no term at all, the map itself says
what the term is. It is written in the place of the least that makes the direction right: a
derivative, a term, or else all of the ldj's arithmetic.
"""

import ast
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ldjcheck.derivation.program import Program
from ldjcheck.derivation.reading.execution import Recorded
from ldjcheck.derivation.ways import ways_of
from ldjcheck.derivation.writing.edits import Said
from ldjcheck.mistakes.engine.closeness import fits
from ldjcheck.mistakes.engine.places import source_text
from ldjcheck.mistakes.mending import changed_at, in_function, wants_derived
from ldjcheck.mistakes.mending.repair import edits_of, repair
from ldjcheck.mistakes.mending.rerun import Rehearsal
from ldjcheck.mistakes.mending.search import LEAST, MOST_OF_ONE, WORK
from ldjcheck.mistakes.mending.verify import Plans, Verification, Weighed
from ldjcheck.mistakes.rewriting.sites import real_file
from ldjcheck.mistakes.terms import missing_term
from ldjcheck.records import Comparison, Diagnosis, Direction, Finding
from ldjcheck.revision import Live, Replacement, SourceText, call_name, is_disjoint
from ldjcheck.revision.text import is_minus, is_sum
from ldjcheck.running.bench import Bench
from ldjcheck.tape import Node, location_of

_UNNAMED = ("LDJ120", "LDJ199")
_LONGEST = 60  # characters of what is quoted
_CURES = 2  # of one direction
_TOLD = 3  # terms of one direction


@dataclass(frozen=True, slots=True)
class _Cure:
    """An edit with which a direction agrees wherever it was measured, and what it says."""

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
        (way.direction, way.found, way.call)
        for way in ways_of(bench, bench.calls, first.probe, sides)
        if isinstance(way.found, Program) and way.call is not None
    ]
    if not ways:
        return findings
    files = (c.file for _, program, _ in ways for c in program.changes)
    live = Live(list(dict.fromkeys(files)))
    cures = []
    for direction, program, _ in ways:
        rehearsal = Rehearsal(bench, comparison.measurement.measured, direction)
        lines = _lines(
            [f for f in asked if f.direction == direction], diagnoses, direction
        )
        cures.append(list(_cures(live, program.said, lines, rehearsal)))
        cures[-1].append(_Cure(program.changes, tuple(_render_terms(program.said))))
    verification = Verification(bench, comparison, plans, live)

    def weighed(chosen: tuple[_Cure, ...]) -> Weighed | None:
        changes = tuple(dict.fromkeys(c for cure in chosen for c in cure.changes))
        return verification.weighed(changes) if is_disjoint(changes) else None

    # One function may serve both directions: what mends one of them mends both.
    alone = [(cure,) * len(ways) for each in cures for cure in each[:-1]]
    every = itertools.product(*cures) if len(ways) == len(wrong) else ()
    tried = itertools.chain(alone if len(wrong) > 1 else (), every)
    found = repair(live, ((each, weighed(each)) for each in tried))
    fix, chosen = found or (None, tuple(each[-1] for each in cures))
    cured = {way[0]: cure for way, cure in zip(ways, chosen, strict=True)}
    lacking = {way[0]: _left_out(*way[1:]) for way in ways} if fix else {}

    def amended(finding: Finding) -> Finding:
        direction = finding.direction or "forward"
        cure, step = cured.get(direction, _Cure((), ())), lacking.get(direction)
        text = None if step is None else source_text(step.place)
        if step is not None and text is not None and finding.code in _UNNAMED:
            place = location_of(step.place)
            finding = missing_term.of_a_step(finding, text, place, cure.told)
        else:
            place, edits = finding.location, edits_of(live, cure.changes)
            if place is None or len(edits) == 1:  # several write anew what is right too
                place = changed_at(live, place, edits)
            finding = replace(finding, evidence=(*finding.evidence, *cure.told))
        if fix is None:
            return finding
        return replace(finding, fix=fix, location=in_function(live, place))

    return tuple(amended(each) if each in asked else each for each in findings)


def _left_out(program: Program, call: Recorded) -> Node | None:
    """Return the value behind the one step whose term is all that is missing, if one is."""
    trace = call.trace
    found = [
        value
        for value, amount in program.amounts
        if fits(trace, trace.reported + amount, trace.exact)
    ]
    return found[0] if len(found) == 1 and len(program.amounts) > 1 else None


def _cures(
    live: Live,
    said: Sequence[Said],
    lines: Iterable[tuple[str, int]],
    rehearsal: Rehearsal,
) -> Iterator[_Cure]:
    """Yield the least edits that help: a number for all may be no number for each."""
    if not len(rehearsal) or not rehearsal.shows_mistake:
        return
    sites = [each for file, line in lines for each in live.statements(file, line)]
    tries = max(LEAST, min(MOST_OF_ONE, WORK // rehearsal.work))
    drafted = itertools.islice(_least(sites, said), tries)
    found = (cure for cure in drafted if live.tried(cure.changes, rehearsal.agrees))
    yield from itertools.islice(found, _CURES)


def _lines(
    asked: Sequence[Finding], diagnoses: Sequence[Diagnosis], direction: Direction
) -> dict[tuple[str, int], None]:
    """Return the lines that serve the ldj of a direction, the blamed ones first."""
    places = (f.location for f in asked if f.location is not None)
    blamed = [(real_file(place), place.line) for place in places]
    touched = (s for d in diagnoses if d.direction == direction for s in d.touched)
    return dict.fromkeys([*blamed, *((span.file, span.line) for span in touched)])


def _render_terms(said: Sequence[Said]) -> Iterator[str]:
    """Yield the term of each line, as a sum where it has several; no long list of them."""
    by_line: dict[int, list[Said]] = {}
    for each in said if len(said) <= _TOLD else ():
        by_line.setdefault(_line(each), []).append(each)
    for line, terms in by_line.items():
        sum_ = ""
        for each in terms:
            text = each.text if each.part is None else each.part.after(None)
            sum_ = _with_term(sum_, text) if sum_ else text
        yield f"The ldj of line {line} is {sum_}."


def _with_term(sum_: str, text: str) -> str:
    """Return a sum with one more term, which may be taken off."""
    return f"{sum_} - {text[1:]}" if text.startswith("-") else f"{sum_} + {text}"


def _least(
    sites: Sequence[tuple[SourceText, ast.stmt]], terms: Sequence[Said]
) -> Iterator[_Cure]:
    """Yield what puts a derivative, or a term, in the place of one expression.

    What computes something is tried before a name for what another line computes, and the
    derivative of a whole line before that of one of its steps. A term stands in no loop: it
    would be written anew in every round.
    """
    parts = [(said, said.part) for said in terms if said.part is not None]
    slopes = [(said, part.derivative) for said, part in parts if part.derivative]
    by_line = {_line(said): said for said, _ in slopes}
    whole = [
        (said, _product(t for s, t in slopes if _line(s) == at))
        for at, said in by_line.items()
    ]
    written = [(s, node) for s, statement in sites for node in _expressions(statement)]
    written.sort(key=lambda each: ast.BinOp not in map(type, ast.walk(each[1])))
    for source, node in written:
        is_factor = isinstance(source.parents[node], ast.BinOp)
        for said, text in dict.fromkeys(
            [*slopes, *whole] if is_factor else [*whole, *slopes]
        ):
            yield _put(source, node, text, said, "derivative")
    for source, statement in sorted(sites, key=lambda site: not _sums_up(site[1])):
        for said, part in parts if not source.is_repeated(statement) else ():
            for node, minus in _addends(statement):
                text = replace(part, minus=part.minus != minus).after(None)
                for each in dict.fromkeys((source.made_alone_for(node), node)):
                    yield _put(source, each, text, said, "term")
                told = f"The ldj of line {_line(said)} lacks {text}."
                change = source.put(node, _with_term(source.text(node), text))
                yield _Cure((change,), (told,))


def _sums_up(statement: ast.stmt) -> bool:
    """Return whether a statement hands back a number that is computed there and then."""
    value = statement.value if isinstance(statement, ast.Return) else None
    parts = value.elts[1:] if isinstance(value, ast.Tuple) else [value] if value else []
    return any(call_name(part) == "sum" or is_sum(part) for part in parts)


def _product(slopes: Iterable[str]) -> str:
    """Return what the steps of one line multiply by, one after the other."""
    above, *others = sorted(
        dict.fromkeys(slopes), key=lambda text: text.startswith("1 / ")
    )
    for text in others:
        sign, factor = ("/", text[4:]) if text.startswith("1 / ") else ("*", text)
        is_sum_, was_sum = (
            is_sum(ast.parse(each, mode="eval").body) for each in (factor, above)
        )
        above = f"{f'({above})' if was_sum else above} {sign} "
        above += f"({factor})" if is_sum_ or "/" in factor or "*" in factor else factor
    return above


def _put(source: SourceText, node: ast.expr, text: str, said: Said, what: str) -> _Cure:
    old, around = source.text(node), source.parents[node]
    bare = isinstance(around, (ast.stmt, ast.Call, ast.keyword, ast.Tuple))
    bare |= source.is_bracketed(node)
    told: tuple[str, ...] = ()
    if len(old) <= _LONGEST and len(text) <= _LONGEST:
        told = (f"The {what} of line {_line(said)} is {text}, not {old}.",)
    change = source.put(node, text if bare else f"({text})")
    is_term = not is_sum(ast.parse(text, mode="eval").body)
    if is_term and text.startswith("-") and is_sum(around) and around.right is node:
        sign = "+" if isinstance(around.op, ast.Sub) else "-"
        change = source.put(around, f"{source.text(around.left)} {sign} {text[1:]}")
    return _Cure((change,), told)


def _line(said: Said) -> int:
    return 0 if said.place is None else said.place.line


def _expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield what may be a derivative: what a logarithm is taken of, then what has a name."""
    inside = [node for node in ast.walk(statement) if isinstance(node, ast.expr)]
    for node in inside:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in ("log", "abs"):
            yield from _factors((node.args[:1] or [node.func.value])[0])
    if isinstance(statement, ast.Assign):
        yield from _factors(statement.value)


def _factors(node: ast.expr) -> Iterator[ast.expr]:
    """Yield what is multiplied or divided, which may be right, before the whole."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield from _factors(node.left)
        yield from _factors(node.right)
    yield node


def _addends(statement: ast.stmt) -> Iterator[tuple[ast.expr, bool]]:
    """Yield what may be a term: the sum itself, its addends, and whether they are taken off."""
    if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple):
        values = [(value, False) for value in statement.value.elts[1:]]
    elif isinstance(statement, ast.AugAssign):
        values = [(statement.value, isinstance(statement.op, ast.Sub))]
    elif isinstance(statement, (ast.Assign, ast.Return)) and statement.value:
        values = [(statement.value, False)]
    else:
        return
    while values:
        node, minus = values.pop(0)
        yield node, minus
        if is_sum(node):
            values.append((node.left, minus))
            values.append((node.right, minus != isinstance(node.op, ast.Sub)))
        elif is_minus(node):
            values.append((node.operand, not minus))
