"""Looking for the plainest edits of the source that make reported and exact agree."""

import ast
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from types import CodeType

import torch
from torch import Tensor

from ldjcheck.mistakes import RULES, rule_of
from ldjcheck.mistakes.catalogue.rule import Claim, Way
from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.mending.rerun import Rehearsal
from ldjcheck.mistakes.rewriting import calls, factors, points, signs, terms
from ldjcheck.mistakes.rewriting.sites import Change, Site, sites_for
from ldjcheck.records import Diagnosis, Direction, Explanation, Finding, Span
from ldjcheck.revision import Live, Replacement, is_disjoint
from ldjcheck.tape import has_line

ANYTHING: tuple[Way, ...] = (
    factors.literals,
    signs.turned,
    terms.shorter_sums,
    factors.dropped,
    factors.exponents,
    factors.squares,
    factors.by_rounds,
    calls.without_abs,
    calls.with_log,
    calls.with_abs,
    calls.summed,
    calls.without_slice,
    factors.other_rounds,
    points.other_conditions,
    points.other_parts,
    points.other_side,
    calls.log_moved,
    calls.twins,
    calls.beyond_diagonal,
    calls.beyond_trace,
    calls.power_moved,
    points.other_functions,
    points.other_names,
    points.wholes,
    points.swapped,
    points.sizes_in_order,
    points.called_alike,
    points.other_order,
    points.masked,
    terms.of_other_way,
    terms.of_siblings,
    terms.held_numbers,
    terms.overwritten,
    terms.last_of_all,
    terms.with_names,
)
"""What is tried where the diagnosis cannot say more, or what it said did not help."""


MEANT: dict[Way, str] = {
    calls.with_log: kinds.ADD_LOG.name,
    calls.with_abs: kinds.ADD_ABS.name,
    calls.without_abs: kinds.REMOVE_ABS.name,
    calls.summed: kinds.SUM_FOR_MEAN.name,
    points.before_updates: kinds.OTHER_POINT.name,
}
"""What an edit says to be wrong where nothing else does: those that mean one mistake."""


MOST = 480  # candidates that are run, most of them at one input
FURTHER = 240  # those wherever they are
MOST_OF_ONE = 160  # candidates for one explanation; what is left is for anything else
RIVALS = 40
VERIFIED = 4  # candidates that are measured anew
_TRIES_EACH = 100  # of those that are run, for one of these
LEAST = 24  # candidates that are run however long the layer takes
WORK = 60_000  # operations of small tensors in all: longer layers are given fewer tries
_EXPLANATIONS = 5  # ways to explain that are looked at
_ALIKE = 3
_SITES = 30
_COUNTS = ("dims", "spatial", "active", "shape")
_EACH, _MOST_EACH = 80, 240  # edits that are tried for each of two mistakes
_PAIRS = 12  # pairs of edits that are run together
_HALVED = 2  # numbers up to it are factors; larger ones count something
_NEAR = 1e-6  # relative to the largest part: two changes that cancel the difference


def claims_on(explanation: Explanation) -> tuple[Claim, ...]:
    """Return the claims of all mistakes on explanations of this kind."""
    claims = (claim for rule in RULES for claim in rule.claims)
    return tuple(claim for claim in claims if claim.kind.holds(explanation))


def ways_for(explanation: Explanation) -> tuple[Way, ...]:
    """Return the edits that may do what an explanation asks for, as its mistake says."""
    ways = next((c.mend for c in claims_on(explanation) if c.mend), ())
    return ways if explanation.instead is None else (points.as_explained, *ways)


def is_lacking(explanation: Explanation) -> bool:
    """Return whether something is missing, which may be written near the place."""
    return any(claim.kind.lacking for claim in claims_on(explanation))


def is_counting(explanation: Explanation) -> bool:
    """Return whether a count is wrong that a plain number may stand for."""
    return any(claim.kind.counting for claim in claims_on(explanation))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One finding to be mended: what explains it, and how to run its direction again."""

    finding: Finding
    explanations: Sequence[Explanation]
    diagnosis: Diagnosis
    rehearsal: Rehearsal
    known_right: tuple[CodeType, ...] = ()  # code that nothing is edited in
    is_of_contract: bool = False  # what is returned has not the promised form
    # Whether the layer is right where it is built for other sizes, if it can be.
    as_built: Callable[[], bool] | None = None

    def is_right(self) -> bool:
        """Return whether all numbers agree, as the code is now, and at other sizes too."""
        return self.rehearsal.agrees() and (self.as_built is None or self.as_built())

    def may_edit(self, change: Change) -> bool:
        """Whether an edit leaves alone what is known to be right."""
        return not any(
            code.co_filename == each.file and has_line(code, each.line)
            for each in change.replacements
            for code in self.known_right
        )

    @property
    def direction(self) -> Direction:
        """Which way it is about."""
        return self.rehearsal.direction

    @property
    def is_of_a_number(self) -> bool:
        """Whether what explains the numbers best is a plain factor."""
        best = self.explanations[0].multiplier if self.explanations else None
        return best is not None and best.family == "number"


def candidates(live: Live, question: Question) -> Iterator[Change]:
    """Yield edits for one finding, the plainest first, no edit twice."""
    seen: set[tuple[Replacement, ...]] = set()
    one_size = question.rehearsal.sizes < 2 and question.as_built is None
    guessed = one_size and _may_be_a_count(question)
    unwritten = ("number", "count") if question.is_of_a_number else ("number",)
    for changes, most in _rounds(live, question):
        tried = 0
        for change in changes:
            # A number may only fit the one size that was tried; nor is a count written
            # where a number is the better name.
            if (guessed and change.kind in unwritten) or not question.may_edit(change):
                continue
            if change.replacements not in seen and is_disjoint(change.replacements):
                seen.add(change.replacements)
                tried += 1
                yield change
            if tried == most:
                break


def _may_be_a_count(question: Question) -> bool:
    """Return whether a plain factor may stand for a count, at the sizes that were tried.

    What varies with the data is summed over what it is counted of: there, what is best
    explained by a number is one.
    """
    explanations = question.explanations
    if question.is_of_a_number and not explanations[0].constant:
        return False
    multipliers = [e.multiplier for e in explanations if e.multiplier is not None]
    return (
        not explanations
        or any(map(is_counting, explanations))
        # A count times a number, or over another count, is far-fetched.
        or any(
            m.family in _COUNTS and m.above and not (m.below or m.is_scaled)
            for m in multipliers
        )
    )


def _rounds(live: Live, question: Question) -> Iterator[tuple[list[Change], int]]:
    """Yield what the diagnosis suggests, explanation by explanation, then anything.

    With each comes how many of it may be run.
    """
    finding, touched = question.finding, question.diagnosis.touched
    rule = rule_of(finding.code)
    all_sites = sites_for(live, finding.location, None, touched)
    anywhere = all_sites[:_SITES]
    if rule.mend:
        returns = [s for s in all_sites[_SITES:] if isinstance(s.statement, ast.Return)]
        yield _drafted((*anywhere, *returns), rule.mend), MOST_OF_ONE
    if rule.mended_alone:
        return
    for explanation in _telling(question.explanations):
        place, told = explanation.location or finding.location, finding.location
        if rule.points_at == "last statement" and place and told:
            # not what another function says of itself, where the way back asks that
            place = place if place.function == told.function else told
        near = is_lacking(explanation)
        sites = sites_for(live, place, explanation, touched, lacking=near)[:_SITES]
        drafted = _drafted(sites, ways_for(explanation))
        returned = {
            s.statement.lineno for s in sites if isinstance(s.statement, ast.Return)
        }
        if near and place is not None and touched and place.line not in returned:
            drafted = [c for c in drafted if not _is_of_map(c, place.line, touched)]
        yield drafted, MOST_OF_ONE
    yield _drafted(anywhere, (points.before_updates,), nearness=0.0), MOST_OF_ONE
    # A line that is blamed may be innocent: then what is plainest at any other is one.
    far = _drafted(anywhere, ANYTHING, nearness=0.0)
    yield _taking_turns(_drafted(anywhere, ANYTHING), far), MOST + FURTHER


def _is_of_map(change: Change, line: int, touched: Sequence[Span]) -> bool:
    """Return whether all that an edit does is to rewrite the step whose term lacks.

    No ldj runs through it then: what is added stands beside it, or elsewhere. Not asked of
    what hands back: that may name an ldj of which nothing is on the tape.
    """
    on_tape = {(span.file, span.line) for span in touched}
    return all(
        each.line == line
        and (each.line, each.column) != (each.end_line, each.end_column)
        and (each.file, line) not in on_tape
        for each in change.replacements
    )


def _taking_turns(near: Sequence[Change], far: Sequence[Change]) -> list[Change]:
    """Return the changes of both, in their orders, two near ones for each other."""
    width = MOST // FURTHER
    rows = itertools.zip_longest(*(near[i::width] for i in range(width)), far)
    return [each for row in rows for each in row if each is not None]


def _drafted(
    sites: Sequence[Site], ways: Sequence[Way], nearness: float = 1.0
) -> list[Change]:
    """Return what every way makes of each statement, the plainest first.

    Those further off cost more.
    """
    drafted = (
        replace(change, cost=change.cost + nearness * site.rank, meant=MEANT.get(way))
        for site in sites
        for way in ways
        for change in way(site)
    )
    return sorted(drafted, key=_plainness)


def _telling(explanations: Sequence[Explanation]) -> Iterator[Explanation]:
    """Yield the first explanations, of each way to explain no more than a few."""
    seen: Counter[tuple[str, str | None]] = Counter()
    for explanation in explanations:
        multiplier = explanation.multiplier
        key = explanation.kind, None if multiplier is None else multiplier.label
        seen[key] += 1
        if seen[key] <= _ALIKE and len(seen) <= _EXPLANATIONS:
            yield explanation


def _plainness(change: Change) -> tuple[float, int]:
    return round(change.cost, 6), sum(len(c.text) for c in change.replacements)


def working(
    live: Live, question: Question, base: Sequence[Replacement] = ()
) -> Iterator[Change]:
    """Yield edits with which the direction agrees wherever it was measured.

    How many are tried follows from the work of a call, never from the clock: the same
    seed must find the same on a busy machine.
    """
    found = 0
    tries = max(LEAST, min(MOST + FURTHER, WORK // question.rehearsal.work))
    most = max(1, min(VERIFIED, tries // _TRIES_EACH))
    for change in itertools.islice(candidates(live, question), tries):
        if found >= most:
            return
        together = (*base, *change.replacements)
        if base and not is_disjoint(together):
            continue
        if live.tried(together, question.is_right):
            found += 1
            yield change


def is_contested(live: Live, question: Question, change: Change) -> bool:
    """Return whether another edit fits as well, and would part from it at other sizes.

    Asked where the layer takes one size only: there a number may be a count by chance. So it
    may where one axis never varies; a number that is written and superfluous is then rather
    taken away than a count of that axis changed. A whole number
    that is written may be a count as well: one larger than two, or of what is constant.
    """
    rehearsal = question.rehearsal
    many = rehearsal.sizes > 1
    if question.as_built is not None:
        return False  # it was run there
    if change.kind == "number" and question.is_of_a_number:
        best = question.explanations[0]
        number = best.multiplier.number if best.multiplier is not None else Fraction()
        may_count = number.denominator == 1 and (best.constant or number > _HALVED)
        return may_count and (not many or (best.constant and rehearsal.has_fixed_axis))
    if change.kind not in ("literal", "count"):
        return False
    if many and (change.kind == "literal" or not rehearsal.has_fixed_axis):
        return False
    other = "count" if change.kind == "literal" else "literal"
    rivals = [c for c in candidates(live, question) if c.kind == other][:RIVALS]
    return any(live.tried(c.replacements, rehearsal.agrees) for c in rivals)


Found = list[tuple[Question, Change]]


def solutions(
    live: Live, questions: Sequence[Question], base: Sequence[Replacement] = ()
) -> Iterator[Found]:
    """Yield the edits with which one direction agrees wherever it was measured."""
    if len(questions) == 1:
        for change in working(live, questions[0], base):
            yield [(questions[0], change)]
    elif len(questions) == 2:
        yield from _pairs(live, questions[0], questions[1], base)


def _pairs(
    live: Live, first: Question, second: Question, base: Sequence[Replacement]
) -> Iterator[Found]:
    """Yield pairs of edits: what they change must add up to the whole difference.

    Two mistakes at different places change the ldj independently of one another, so each
    edit is run once by itself, and only pairs that add up are run together.
    """
    start = live.tried(base, first.rehearsal.gap)
    if start is None or not bool(torch.isfinite(start).all()):
        return
    ones, twos = (list(_moves(live, q, base, start)) for q in (first, second))
    for question, moves in ((first, ones), (second, twos)):
        for change, moved in moves:  # of what both have in common, as a helper
            together = (*base, *change.replacements)
            alone = _cancels(start, moved)
            if alone and live.tried(together, question.rehearsal.agrees):
                yield [(question, change)]
    places = itertools.product(range(len(ones)), range(len(twos)))
    tried = 0
    for i, j in sorted(places, key=sum):
        (one, moved), (two, also) = ones[i], twos[j]
        together = (*base, *one.replacements, *two.replacements)
        if not _cancels(start, moved, also) or not is_disjoint(together):
            continue
        tried += 1
        if live.tried(together, first.rehearsal.agrees):
            yield [(first, one), (second, two)]
        if tried >= _PAIRS:
            return


def _cancels(start: Tensor, *moved: Tensor) -> bool:
    """Return whether what edits change is the whole difference, up to rounding."""
    size = 1 + torch.stack(moved).abs().amax(0)
    return bool(((start + torch.stack(moved).sum(0)).abs() <= _NEAR * size).all())


def _moves(
    live: Live, question: Question, base: Sequence[Replacement], start: Tensor
) -> Iterator[tuple[Change, Tensor]]:
    """Yield edits that change the ldj, with by how much at the first input, `(batch,)`."""
    tries = max(_EACH, min(_MOST_EACH, WORK // question.rehearsal.work))
    for change in itertools.islice(candidates(live, question), tries):
        together = (*base, *change.replacements)
        if not is_disjoint(together):
            continue
        gap = live.tried(together, question.rehearsal.gap)
        if gap is None or not bool(torch.isfinite(gap).all()):
            continue
        if bool(((gap - start).abs() > _NEAR).any()):
            yield change, gap - start
