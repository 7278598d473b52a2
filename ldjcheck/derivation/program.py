"""The steps of one recorded call, each with its terms, and all derived lines of it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.derivation.calculus.formulas import Formulas, NoFormulaError
from ldjcheck.derivation.calculus.terms import Term, logdet
from ldjcheck.derivation.reading.execution import Execution, Recorded
from ldjcheck.derivation.reading.homes import Home, bare_home, home_of, keeping_home
from ldjcheck.derivation.structures import STRUCTURES
from ldjcheck.derivation.writing.edits import (
    ConflictError,
    Line,
    NoPlaceError,
    Said,
    statements_of,
)
from ldjcheck.derivation.writing.lines import is_right, line_for, links_of
from ldjcheck.derivation.writing.methods import body_of, ldj_method, method_lines
from ldjcheck.derivation.writing.spelling import UnspeakableError
from ldjcheck.revision import Replacement
from ldjcheck.revision.text import MethodNode
from ldjcheck.tape import Node, Step

_FITS = 1e-7  # relative: terms are the step's own log|det| to rounding
_LOST = (
    1e-14  # of a saturated step's own number, in units of what it forgets of its input
)


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A step whose log|det| has a closed form."""

    begin: Node
    end: Node
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Stopped:
    """A step for which none is known: the operation that was in the way, and why."""

    begin: Node
    end: Node
    at: Node
    why: str


def solve(call: Recorded, formulas: Formulas) -> list[Solved | Stopped]:
    """Return every step of the map with its terms, in the order in which they ran."""
    found: list[Solved | Stopped] = []
    begin = call.trace.points[0] if call.trace.points else call.trace.source
    for step in call.trace.steps:
        found.append(solved(formulas, begin, step))
        begin = step.end
    return found


def solved(formulas: Formulas, begin: Node, step: Step) -> Solved | Stopped:
    """Return the terms of one step: the first reading whose sum is its own log|det|."""
    end = step.end
    stopped: NoFormulaError | None = None
    for structure in STRUCTURES:
        try:
            for terms in structure(formulas, begin, end):
                if _fits(formulas, terms, step):
                    return Solved(begin, end, tuple(terms))
        except NoFormulaError as error:
            stopped = (
                error if structure is STRUCTURES[0] or stopped is None else stopped
            )
    if stopped is None:
        stopped = NoFormulaError(end, "what conditions an entry depends on it as well")
    return Stopped(begin, end, stopped.node, stopped.why)


def _fits(formulas: Formulas, terms: Sequence[Term], step: Step) -> bool:
    exact = step.logdet
    batch = formulas.trace.batch
    total = torch.zeros(batch, dtype=torch.float64)
    try:
        for term in terms:
            total = total + logdet(formulas, term, batch)
    except (ValueError, RuntimeError, ArithmeticError):
        return False
    lost = _LOST * step.blur * step.idle.numel()
    return bool(((total - exact).abs() <= _FITS * (1 + exact.abs()) + lost).all())


_UNSPEAKABLE = "it cannot be written in the source's names"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Program:
    """What was derived of one direction: statements in order, and the edit of the source.

    `amounts` are what each term comes to, `(batch,)` in nats, with the value behind it.
    """

    solved: tuple[Solved, ...]
    said: tuple[Said, ...]
    changes: tuple[Replacement, ...]
    amounts: tuple[tuple[Node, Tensor], ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Refusal:
    """Why nothing could be derived, and the operation at which it ended."""

    why: str
    at: Node | None = None


def derive_call(call: Recorded, *, literal: bool = False) -> Program | Refusal:
    """Return the program of one direction, or why there is none.

    Where a statement runs several times, its terms must read the same each time: what has a
    name is then left at that, as it always is if they are to be `literal`.
    """
    try:
        return _derived(call, Formulas(call, literal=literal))
    except ConflictError as error:
        if literal:
            return Refusal(why=str(error))
    return derive_call(call, literal=True)


def _derived(call: Recorded, formulas: Formulas) -> Program | Refusal:
    steps = solve(call, formulas)
    for step in steps:
        if isinstance(step, Stopped):
            return Refusal(why=step.why, at=step.at)
    solved = [step for step in steps if isinstance(step, Solved)]
    method = ldj_method(call)
    if method is not None:
        try:
            return _of_method(call, formulas, solved, *method)
        except UnspeakableError as error:
            return Refusal(why=f"{_UNSPEAKABLE}: {error}")
    homes = _homes(call)
    if not homes:
        return Refusal(
            why="no function of the layer's own source hands its output back"
        )
    try:
        given = _given(call, homes)
        lines = _lines(call, formulas, solved, homes, given)
        if not lines and call.form.is_silent:
            return Program(solved=tuple(solved), said=(), changes=())
        lines += links_of(call, homes, _counting(homes, lines, given), lines)
        kept = {n: home for n, home in homes.items() if n not in given}
        amounts = tuple(
            (term.end, logdet(formulas, term, call.trace.batch))
            for step in solved
            for term in step.terms
        )
        return replace(_program(call, solved, kept, lines), amounts=amounts)
    except UnspeakableError as error:
        return Refusal(why=f"{_UNSPEAKABLE}: {error}")
    except ConflictError:
        raise
    except NoPlaceError as error:
        return Refusal(why=str(error))


def _of_method(
    call: Recorded,
    formulas: Formulas,
    solved: Sequence[Solved],
    execution: Execution,
    function: MethodNode,
) -> Program:
    terms = [term for step in solved for term in step.terms]
    lines, parts = method_lines(call, formulas, execution, terms)
    return Program(
        solved=tuple(solved),
        said=tuple(lines),
        changes=(body_of(call, execution, function, parts),),
    )


def _homes(call: Recorded) -> dict[int, Home]:
    """Return the functions that hand an ldj back, by the number of their call."""
    editable = [e for e in call.executions.values() if call.is_own(e.file)]
    found = {
        execution.call: home
        for execution in editable
        if (home := home_of(call, execution)) is not None
    }
    outermost = next((e for e in editable if e.caller is None), None)
    if outermost is None or outermost.call in found:
        return found
    if isinstance(outermost.returned, tuple) and found:
        return found  # it hands on what another function hands back
    alone = keeping_home(call, outermost) or bare_home(call, outermost)
    return found if alone is None else {outermost.call: alone}


def _given(call: Recorded, homes: dict[int, Home]) -> set[int]:
    """Return the sublayers whose own ldj is right: nothing of them is derived.

    A method of the same object is no sublayer, and one that is wrong for another object
    is edited for all.
    """
    apart = [
        home
        for home in homes.values()
        if (caller := home.execution.caller) is not None
        and caller.call in homes
        and homes[caller.call].execution.owner is not home.execution.owner
    ]
    wrong = {home.function for home in apart if not is_right(call, home)}
    return {h.execution.call for h in apart if h.function not in wrong}


def _counting(
    homes: dict[int, Home], lines: Sequence[Line], given: set[int]
) -> list[int]:
    """Return the functions, by their calls, whose ldj is not nothing, callees included."""
    found = {line.home.execution.call for line in lines} | given
    for number in [*found]:
        caller = homes[number].execution.caller
        while caller is not None and caller.call in homes:
            found.add(caller.call)
            caller = homes[caller.call].execution.caller
    return sorted(found)


def _lines(
    call: Recorded,
    formulas: Formulas,
    solved: Sequence[Solved],
    homes: dict[int, Home],
    given: set[int],
) -> list[Line]:
    """Return a line for every statement of the map that changes the volume."""
    grouped: dict[tuple[int, int, ast.stmt], list[Term]] = {}
    for term in (term for step in solved for term in step.terms):
        if any(place.call in given for place in term.end.places):
            continue
        place = next((p for p in term.end.places if p.call in homes), None)
        statement = None if place is None else call.sources.statement(place)
        if place is None or statement is None:
            raise NoPlaceError("a step stands in no function that hands an ldj back")
        round_ = _round(call, place.call, term.end)
        grouped.setdefault((place.call, round_, statement), []).append(term)
    return [
        line_for(call, formulas, homes[number], statement, terms)
        for (number, _, statement), terms in grouped.items()
    ]


def _round(call: Recorded, number: int, node: Node) -> int:
    """Return in which run of its statement a value was made: loops run them again."""
    moments = call.executions[number].moments
    line, found, inside = -1, 0, False
    place = next(p for p in node.places if p.call == number)
    statement = call.sources.statement(place)
    assert statement is not None
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    for moment in moments:
        if moment.clock > node.index:
            break
        line = moment.line
        here = first <= line <= last
        found += here and not inside
        inside = here
    return found


def _program(
    call: Recorded,
    solved: Sequence[Solved],
    homes: dict[int, Home],
    lines: Sequence[Line],
) -> Program:
    said: list[Said] = []
    changes: dict[Replacement, None] = {}
    by_function: dict[ast.AST, list[Home]] = {}
    for home in homes.values():
        by_function.setdefault(home.function, []).append(home)
    for alike in by_function.values():
        own = [line for line in lines if line.home in alike]
        for home in alike:
            here = [line for line in own if line.home is home]
            told, edit = statements_of(call, home, here)
            said += told
            changes.update(dict.fromkeys(edit))
    return Program(solved=tuple(solved), said=tuple(said), changes=tuple(changes))
