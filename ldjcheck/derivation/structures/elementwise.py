"""Diagonal and triangular Jacobians: log|det J| is the sum of log|dy_i / dx_i|.

Elementwise maps, conditioned or not; couplings by mask or by halves, and autoregressive
maps, in which what conditions an entry does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Expr, Integer

from ldjcheck.derivation.calculus.formulas import Formulas, NoFormulaError
from ldjcheck.derivation.calculus.functions import Log1p
from ldjcheck.derivation.calculus.logarithm import Logarithm
from ldjcheck.derivation.calculus.segments import Segment, ways_through
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.tape import Node


def terms(formulas: Formulas, begin: Node, end: Node) -> Iterator[list[Term]]:
    """Yield the terms of a step that maps entry by entry, what conditions it held fixed.

    Raises:
        NoFormulaError: the step does not.
    """
    for way in ways_through(formulas, begin, end):
        yield [
            term for segment in way if (term := _term(formulas, segment)) is not None
        ]


def _term(formulas: Formulas, segment: Segment) -> Term | None:
    derivative = derivative_of(formulas, segment)
    try:
        expression = logarithm_of(formulas, segment).of(derivative)
    except ValueError as error:
        raise NoFormulaError(segment.end, str(error)) from None
    if expression == 0:
        return None
    return Term(
        expression=expression,
        begin=segment.begin,
        end=segment.end,
        derivative=derivative,
    )


def derivative_of(formulas: Formulas, segment: Segment) -> Expr:
    """Return the derivative of a segment, entry by entry, as a formula."""
    x = formulas.symbol(segment.begin)
    y = formulas.of(segment.end, segment.begin, segment.inside)
    return simplified(y.diff(x))


def logarithm_of(formulas: Formulas, segment: Segment) -> Logarithm:
    """Return what takes logarithms where the segment's own logarithms are real."""
    y = formulas.of(segment.end, segment.begin, segment.inside)
    positive = {log.args[0] for log in y.atoms(sympy.log) if not log.args[0].is_number}
    positive |= {power.base for power in y.atoms(sympy.Pow) if not power.exp.is_integer}
    for function in (sympy.atanh, sympy.asin, sympy.acos):
        positive |= {1 - each.args[0] ** 2 for each in y.atoms(function)}
    positive |= {1 + each.args[0] for each in y.atoms(Log1p)}
    return Logarithm(positive, formulas.indicators, formulas.known, formulas.sizes)


def simplified(derivative: Expr) -> Expr:
    """Return a derivative without what SymPy leaves behind of absolute values."""
    return derivative.replace(sympy.Derivative, lambda *_: Integer(0)).doit()
