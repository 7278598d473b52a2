"""The steps of one recorded call, each with the terms of its ldj, or with what stopped it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ldjcheck.derivation.calculus.formulas import Formulas, NoFormulaError
from ldjcheck.derivation.calculus.terms import Term, logdet
from ldjcheck.derivation.reading.execution import Recorded
from ldjcheck.derivation.structures import STRUCTURES
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
