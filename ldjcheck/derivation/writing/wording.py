"""One sentence about a derived term: what the line does, and how often its log counts."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import sympy

from ldjcheck.derivation.calculus.formulas import NoFormulaError
from ldjcheck.derivation.calculus.terms import addends
from ldjcheck.derivation.writing.spelling import UnspeakableError, spoken
from ldjcheck.torch_ops import DIVIDE, MULTIPLY, plain_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sympy import Expr

    from ldjcheck.derivation.calculus.formulas import Formulas
    from ldjcheck.derivation.calculus.terms import Summation, Term
    from ldjcheck.derivation.writing.scope import Scope

_LONGEST = 90  # characters of a derivative that is quoted


def said_of(
    formulas: Formulas,
    terms: Sequence[Term],
    scope: Scope,
    modules: Mapping[str, str],
    line: int,
) -> str:
    """Return the sentence that goes with the terms of one line."""
    parts = []
    for term in terms:
        told = _what(formulas, term, scope, modules)
        often = _how_often(formulas, term)
        parts.append(f"{told}{', ' if often else ''}{often}")
    said = "; ".join(dict.fromkeys(part for part in parts if part))
    return f"line {line} {said}" if said else f"line {line} changes the volume"


def derivative_of(
    formulas: Formulas,
    terms: Sequence[Term],
    scope: Scope,
    modules: Mapping[str, str],
) -> str:
    """Return the derivative of one line at one entry; empty where it is none, or several."""
    if len(terms) != 1 or terms[0].derivative is None:
        return ""
    derivative = _shortened(formulas, terms[0], terms[0].derivative, scope)
    return _spoken(formulas, derivative, scope, modules)


def _shortened(formulas: Formulas, term: Term, expression: Expr, scope: Scope) -> Expr:
    """Return an expression in the names that parts of it have: h, where that is tanh(x)."""
    between = {
        node
        for node in formulas.depending
        if term.begin.index < node.index <= term.end.index
    }
    for node in sorted(between & scope.held, key=lambda n: -n.index):
        with contextlib.suppress(NoFormulaError):
            formula = formulas.of(node, term.begin, between)
            if not formula.is_Symbol and not formula.is_number:
                expression = expression.subs(formula, formulas.symbol(node))
    return expression


def _what(
    formulas: Formulas, term: Term, scope: Scope, modules: Mapping[str, str]
) -> str:
    if term.why:
        return term.why
    assert term.derivative is not None
    factor = _spoken(formulas, term.derivative, scope, modules)
    if term.end.name in MULTIPLY and factor:
        return f"multiplies by {factor}"
    if term.end.name in DIVIDE:
        below = _spoken(formulas, 1 / term.derivative, scope, modules)
        if below and term.derivative.is_number is False:
            return f"divides by {below}"
    name = plain_name(term.end.name)
    at = _spoken(formulas, formulas.symbol(term.begin), scope, modules)
    if not factor:
        return f"has a `{name}`, whose derivative is taken at every entry"
    where = f" at {at}" if at.isidentifier() and at not in factor else ""
    return f"has the derivative {factor}{where}"


def _spoken(
    formulas: Formulas, expression: Expr, scope: Scope, modules: Mapping[str, str]
) -> str:
    """Return an expression in the source's names, empty where it is too long or has none."""
    try:
        text = spoken(formulas, sympy.factor_terms(expression), scope, modules)
    except (UnspeakableError, ValueError):
        return ""
    return text if len(text) <= _LONGEST else ""


def _how_often(formulas: Formulas, term: Term) -> str:
    """Return how often the logarithm counts, in words."""
    hows = {how for _, how in addends(formulas, term)}
    said = dict.fromkeys(_counted(how, term) for how in hows)
    return " and ".join(each for each in said if each)


def _counted(how: Summation, term: Term) -> str:
    if term.per == "sample":
        return ""
    rank = how.of_rank
    if term.per == "place":
        return "at every place" if rank > 2 else ""
    if not how.axes:
        return "summed over the dims"
    if len(how.axes) == rank - 1:
        return "once for each of the dims"
    if how.axes == (2, 3) and rank == 4:
        return "once for each of the H * W places"
    if how.axes == (2,) and rank == 3:
        return "once for each of the T places"
    return "once for each entry that shares it"
