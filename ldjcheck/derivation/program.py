"""The steps of one recorded call, each with its terms, and all derived lines of it."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ldjcheck.derivation.calculus.formulas import Formulas, NoFormulaError
from ldjcheck.derivation.calculus.terms import Term, logdet
from ldjcheck.derivation.reading.execution import Execution, Recorded
from ldjcheck.derivation.reading.ldj_sites import Home, bare_home, home_of, keeping_home
from ldjcheck.derivation.structures import STRUCTURES
from ldjcheck.derivation.writing.codegen import UnspeakableError
from ldjcheck.derivation.writing.edits import (
    ConflictError,
    Line,
    NoPlaceError,
    Said,
    statements_of,
)
from ldjcheck.derivation.writing.lines import (
    body_of,
    is_right,
    ldj_method,
    line_for,
    links_of,
    method_lines,
)
from ldjcheck.revision import Replacement
from ldjcheck.tape import Node, Step

_FITS = 1e-7  # relative: terms are the step's own log|det| to rounding
# Of a saturated step's own number, in units of what it forgets of its input.
_LOST = 1e-14


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Program:
    """What was derived of one direction: statements in order, and the edit of the source.

    `amounts` are what each term comes to, `(batch,)` in nats, with the value behind it.
    """

    said: tuple[Said, ...] = ()
    changes: tuple[Replacement, ...] = ()
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
    except NoFormulaError as error:
        return Refusal(why=error.why, at=error.node)
    except UnspeakableError as error:
        return Refusal(why=f"it cannot be written in the source's names: {error}")
    except NoPlaceError as error:
        if literal or not isinstance(error, ConflictError):
            return Refusal(why=str(error))
    return derive_call(call, literal=True)


def _derived(call: Recorded, formulas: Formulas) -> Program:
    """Return the program of one direction.

    Raises:
        NoFormulaError: a step has no terms that are known.
        UnspeakableError: a term has no words.
        NoPlaceError: a line has no place.
    """
    trace = call.trace
    terms: list[Term] = []
    begin = trace.points[0] if trace.points else trace.source
    for step in trace.steps:
        terms += _terms(formulas, begin, step)
        begin = step.end
    method = ldj_method(call)
    if method is not None:
        told, parts = method_lines(call, formulas, method[0], terms)
        return Program(said=tuple(told), changes=(body_of(call, *method, parts),))
    homes = _homes(call)
    if not homes:
        raise NoPlaceError(
            "no function of the layer's own source hands its output back"
        )
    given = _given(call, homes)
    lines = _lines(call, formulas, [t for t in terms if _is_beside(t, given)], homes)
    if not lines and call.form.is_silent:
        return Program()
    lines += links_of(call, homes, _counting(homes, lines, given), lines)
    amounts = [(term.end, logdet(formulas, term)) for term in terms]
    said: list[Said] = []
    changes: dict[Replacement, None] = {}
    edited = [home for number, home in homes.items() if number not in given]
    functions = list(dict.fromkeys(home.function for home in edited))
    for home in sorted(edited, key=lambda home: functions.index(home.function)):
        here = [line for line in lines if line.home is home]
        told, edit = statements_of(call, home, here)
        said += told
        changes.update(dict.fromkeys(edit))
    return Program(said=tuple(said), changes=tuple(changes), amounts=tuple(amounts))


def _is_beside(term: Term, given: set[int]) -> bool:
    """Return whether a term is of no sublayer whose own ldj is taken as it is."""
    return given.isdisjoint(place.call for place in term.end.places)


def _terms(formulas: Formulas, begin: Node, step: Step) -> list[Term]:
    """Return the terms of one step: the first reading whose sum is its own log|det|.

    Raises:
        NoFormulaError: there is none; the operation that was in the way is named.
    """
    stopped: NoFormulaError | None = None
    for structure in STRUCTURES:
        try:
            for terms in structure(formulas, begin, step.end):
                if _fits(formulas, terms, step):
                    return terms
        except NoFormulaError as error:
            stopped = stopped or error
        except RecursionError:
            why = "too many operations follow each other there"
            stopped = stopped or NoFormulaError(step.end, why)
    why = "what conditions an entry depends on it as well"
    raise stopped or NoFormulaError(step.end, why)


def _fits(formulas: Formulas, terms: Sequence[Term], step: Step) -> bool:
    exact = step.logdet
    try:
        found = [logdet(formulas, term) for term in terms]
    except (ValueError, RuntimeError, ArithmeticError):
        return False
    lost = _LOST * step.blur * step.idle.numel()
    total = torch.stack([torch.zeros_like(exact), *found]).sum(0)
    return bool(((total - exact).abs() <= _FITS * (1 + exact.abs()) + lost).all())


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
    call: Recorded, formulas: Formulas, terms: Sequence[Term], homes: dict[int, Home]
) -> list[Line]:
    """Return a line for every statement of the map that changes the volume."""
    grouped: dict[tuple[int, int, ast.stmt], list[Term]] = {}
    for term in terms:
        place = next((p for p in term.end.places if p.call in homes), None)
        statement = None if place is None else call.sources.statement(place)
        if place is None or statement is None:
            raise NoPlaceError("a step stands in no function that hands an ldj back")
        round_ = _round(call.executions[place.call], statement, term.end)
        grouped.setdefault((place.call, round_, statement), []).append(term)
    return [
        line_for(call, formulas, homes[number], statement, alike)
        for (number, _, statement), alike in grouped.items()
    ]


def _round(execution: Execution, statement: ast.stmt, node: Node) -> int:
    """Return in which run of its statement a value was made: loops run them again."""
    lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    before = [m.line in lines for m in execution.moments if m.clock <= node.index]
    return sum(here and not last for last, here in pairwise([False, *before]))
