"""A term in the words of the source: its formula, its sum, its count, and a sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sympy
from sympy import Add, Expr, Symbol

from ldjcheck.derivation.calculus.formulas import Formulas, NoFormulaError
from ldjcheck.derivation.calculus.printing import Printer
from ldjcheck.derivation.calculus.terms import Summation, Term, addends
from ldjcheck.derivation.reading.execution import Form
from ldjcheck.derivation.writing.scope import Scope
from ldjcheck.tape import Node
from ldjcheck.torch_ops import DIVIDE, MULTIPLY, plain_name

_DEEP = 12  # definitions through which a symbol is written out
_SHORT = 72  # characters of a line that carries several terms
_CALLED = 25  # characters that a call inside of a word is worth


class UnspeakableError(Exception):
    """A value cannot be written where a term has to stand."""


@dataclass(frozen=True, slots=True)
class Spelled:
    """Part of a term as source: `text` is what is added or, if `minus`, subtracted.

    `varies` says whether it has one number for each sample.
    """

    text: str
    minus: bool
    varies: bool
    cost: int
    terms: tuple[Term, ...] = ()
    derivative: str = ""  # of one entry, where the part is the sum of its logarithms

    def after(self, total: str | None) -> str:
        """Return the text behind a running total: `ldj - ...`, or alone."""
        if total is None:
            return f"-{self.text}" if self.minus else self.text
        return f"{total} {'-' if self.minus else '+'} {self.text}"


def spell(
    formulas: Formulas,
    terms: Sequence[Term],
    scope: Scope,
    modules: Mapping[str, str],
    form: Form,
) -> list[Spelled]:
    """Return the terms of one statement as source, those that are summed alike together.

    Raises:
        UnspeakableError: something in them has no name here, and is made of nothing that has.
    """
    alone = [
        each
        for term in terms
        for each in _together(formulas, [term], scope, modules, form)
    ]
    if max((len(each.text) for each in alone), default=0) > _SHORT:
        return alone
    whole = _together(formulas, terms, scope, modules, form)
    longest = max((len(each.text) for each in whole), default=0)
    return whole if longest <= _SHORT or len(whole) == len(alone) else alone


def _together(
    formulas: Formulas,
    terms: Sequence[Term],
    scope: Scope,
    modules: Mapping[str, str],
    form: Form,
) -> list[Spelled]:
    groups: dict[tuple[object, ...], list[tuple[Term, Summation, Expr]]] = {}
    for term in terms:
        for addend, how in addends(formulas, term):
            shape = tuple(term.end.value.shape)
            key = how, shape, term.per
            groups.setdefault(key, []).append((term, how, addend))
    found = []
    for group in groups.values():
        whole = Add(*(addend for *_, addend in group))
        if whole != 0:
            term, how, _ = group[0]
            speller = _Speller(formulas, scope, modules, form, term, how)
            of = tuple(dict.fromkeys(term for term, *_ in group))
            found.append(replace(speller.spelled(whole), terms=of))
    return found


def spoken(
    formulas: Formulas, expression: Expr, scope: Scope, modules: Mapping[str, str]
) -> str:
    """Return a formula in the names of a scope.

    Raises:
        UnspeakableError: something in it has no name there, and is made of nothing that has.
    """
    words = Words(formulas, scope)
    expression, texts = words.of(expression)
    printer = Printer(texts, formulas.numbers, modules, formulas.varying)
    return printer.text(expression)


class Words:
    """Finds words for symbols; what has none is written out in what it is made of."""

    def __init__(self, formulas: Formulas, scope: Scope) -> None:
        self._formulas = formulas
        self._scope = scope
        self.cost = 0

    def of(self, expression: Expr) -> tuple[Expr, dict[Symbol, str]]:
        """Return a formula all of whose symbols can be written, and how.

        Raises:
            UnspeakableError: there is no way.
        """
        words: dict[Symbol, str] = {}
        for _ in range(_DEEP):
            silent = []
            for symbol in sorted(expression.free_symbols - words.keys(), key=str):
                word = self._scope.word(self._formulas.leaves[symbol])
                if word is None or _is_costly(word):
                    silent.append((symbol, word))
                else:
                    words[symbol] = word
            if not silent:
                break
            for symbol, word in silent:
                made_of = self._formulas.definition(symbol)
                if made_of is None or made_of == symbol:
                    if word is None:
                        raise UnspeakableError(symbol)
                    words[symbol] = word
                else:
                    expression = expression.xreplace({symbol: made_of})
        if not expression.free_symbols <= words.keys():
            raise UnspeakableError(expression)
        used = {s: w for s, w in words.items() if s in expression.free_symbols}
        self.cost += sum(_CALLED * word.count("(") for word in used.values())
        return expression, used


class _Speller:
    def __init__(
        self,
        formulas: Formulas,
        scope: Scope,
        modules: Mapping[str, str],
        form: Form,
        term: Term,
        how: Summation,
    ) -> None:
        self._formulas = formulas
        self._form = form
        self._scope = scope
        self._modules = modules
        self._term = term
        self._how = how

    def spelled(self, expression: Expr) -> Spelled:
        """Return a sum of addends that are summed alike."""
        finder = Words(self._formulas, self._scope)
        expression, words = finder.of(expression)
        minus = bool(expression.could_extract_minus_sign())
        if minus:
            expression = -expression
        known = self._formulas
        printer = Printer(words, known.numbers, self._modules, known.varying)
        how = self._how
        count = self._count()
        total = self._sum() if how.is_summed else ""
        text = (
            printer.text(expression, 5) + total
            if total
            else printer.text(expression, 2)
        )
        if count:
            text = f"{text} * {count}"
        if self._form.column and how.varies and how.rank == 1:
            text = f"{printer.text(expression, 5)}.unsqueeze(1)"
            text = f"{text} * {count}" if count else text
        return Spelled(text, minus, how.varies, finder.cost + len(text))

    def _sum(self) -> str:
        if self._term.per in ("sample", "scalar") and self._how.rank == 2:
            return "" if self._form.column else ".squeeze(1)"
        if not self._how.varies and self._form.event is None:
            return ".sum()"
        return self._form.summed(self._how.rank)

    # --- counts -------------------------------------------------------------------

    def _count(self) -> str:
        """Return how often the formula counts, in sizes of a tensor that has a name here."""
        axes, term = self._how.axes, self._term
        if term.per == "place":
            axes = self._places()
        axes = self._form.counted(axes, self._how.of_rank)
        if not axes:
            return ""
        name = self._tensor_of_shape()
        rank = self._how.of_rank
        if self._form.event is not None:
            return " * ".join(f"{name}.shape[{axis - rank}]" for axis in axes)
        if len(axes) == 1 and not self._form.of_any_rank:
            return f"{name}.shape[{axes[0]}]"
        if axes == tuple(range(axes[0], rank)):
            if len(axes) == 2 and axes[0] > 1:
                return " * ".join(f"{name}.shape[{axis}]" for axis in axes)
            if "math" in self._modules:
                return f"{self._modules['math']}.prod({name}.shape[{axes[0]}:])"
            return f"{name}.shape[{axes[0]}:].numel()"
        return " * ".join(f"{name}.shape[{axis}]" for axis in axes)

    def _places(self) -> tuple[int, ...]:
        """Return the axes along which one matrix acts again and again."""
        shape = self._term.end.value.shape
        size, rank = self._how.per_place, len(shape)
        acting = self._term.axis % rank
        if shape[acting] != size:  # axes were moved since
            acting = next((a for a in range(1, rank) if shape[a] == size), 0)
        return tuple(a for a in range(1, rank) if a != acting) if acting else ()

    def _tensor_of_shape(self) -> str:
        term = self._term
        for node in (term.end, term.begin):
            name = self._scope.name(node)
            if name is not None:
                return name
        for name, held in self._scope.moment.held.items():
            if _has_shape(held, term.end):
                return name
        for node in (term.begin, term.end):
            word = self._scope.tensor(node)
            if word is not None and not _is_costly(word):
                return word  # a slice of something that has a name
        raise UnspeakableError("nothing here has the shape that is counted")


def _has_shape(held: object, node: Node) -> bool:
    value = getattr(held, "value", None)
    return value is not None and getattr(value, "shape", None) == node.value.shape


def _is_costly(word: str) -> bool:
    """Return whether a word computes something: what it is made of is tried first."""
    return "(" in word


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
