"""A term in the words of the source: its formula, its sum, its count, and a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy
from sympy import Add, Expr, Symbol

from ldjcheck.derivation.calculus.formulas import Formulas
from ldjcheck.derivation.calculus.printing import ATOM, PRODUCT, Printer
from ldjcheck.derivation.calculus.terms import Summation, Term, addends
from ldjcheck.derivation.reading.execution import Form
from ldjcheck.derivation.writing.scope import Scope
from ldjcheck.tape import Node, ancestors
from ldjcheck.torch_ops import DIVIDE, MULTIPLY, plain_name

_DEEP = 12  # definitions through which a symbol is written out
_SHORT = 72  # characters of a line that carries several terms
_CALLED = 25  # characters that a call inside of a word is worth


_LONGEST = 90  # characters of a derivative that is quoted


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


def spell(formulas: Formulas, terms: Sequence[Term], scope: Scope) -> list[Spelled]:
    """Return the terms of one statement as source, those that are summed alike together.

    Raises:
        UnspeakableError: something in them has no name here, and is made of nothing that has.
    """
    alone = [each for term in terms for each in _together(formulas, [term], scope)]
    if _longest(alone) > _SHORT:
        return alone
    whole = _together(formulas, terms, scope)
    return whole if _longest(whole) <= _SHORT or len(whole) == len(alone) else alone


def _longest(parts: Sequence[Spelled]) -> int:
    return max((len(each.text) for each in parts), default=0)


def _together(formulas: Formulas, terms: Sequence[Term], scope: Scope) -> list[Spelled]:
    groups: dict[tuple[object, ...], list[tuple[Term, Summation, Expr]]] = {}
    for term in terms:
        for addend, how in addends(formulas, term):
            key = how, tuple(term.end.value.shape), term.per
            groups.setdefault(key, []).append((term, how, addend))
    found = []
    for group in groups.values():
        whole = Add(*(addend for *_, addend in group))
        if whole != 0:
            part = _spelled(formulas, scope, *group[0][:2], whole)
            of = tuple(dict.fromkeys(term for term, *_ in group))
            found.append(replace(part, terms=of))
    return found


def spoken(formulas: Formulas, expression: Expr, scope: Scope) -> str:
    """Return a formula in the names of a scope.

    Raises:
        UnspeakableError: something in it has no name there, and is made of nothing that has.
    """
    expression, printer, _ = _worded(formulas, expression, scope)
    return printer.text(expression)


def _worded(
    formulas: Formulas, expression: Expr, scope: Scope
) -> tuple[Expr, Printer, int]:
    """Return a formula all of whose symbols can be written, what writes it, and its cost.

    What has no word is written out in what it is made of.

    Raises:
        UnspeakableError: there is no way.
    """
    words: dict[Symbol, str] = {}
    for _ in range(_DEEP):
        silent = []
        for symbol in sorted(expression.free_symbols - words.keys(), key=str):
            word = scope.word(formulas.leaves[symbol])
            if word is None or _is_costly(word):
                silent.append((symbol, word))
            else:
                words[symbol] = word
        if not silent:
            break
        for symbol, word in silent:
            made_of = formulas.definition(symbol)
            if made_of is not None and made_of != symbol:
                expression = expression.xreplace({symbol: made_of})
            elif word is None:
                raise UnspeakableError(symbol)
            else:
                words[symbol] = word
    if not expression.free_symbols <= words.keys():
        raise UnspeakableError(expression)
    used = {s: w for s, w in words.items() if s in expression.free_symbols}
    printer = Printer(used, formulas.numbers, scope.modules, formulas.varying)
    return expression, printer, sum(_CALLED * word.count("(") for word in used.values())


def _spelled(
    formulas: Formulas, scope: Scope, term: Term, how: Summation, expression: Expr
) -> Spelled:
    """Return a sum of addends that are summed alike."""
    expression, printer, cost = _worded(formulas, expression, scope)
    minus = bool(expression.could_extract_minus_sign())
    if minus:
        expression = -expression
    count = _count(scope, term, how)
    total = _sum(scope.form, term, how) if how.is_summed else ""
    if scope.form.column and how.varies and how.rank == 1:
        total = ".unsqueeze(1)"
    text = printer.text(expression, ATOM if total else PRODUCT) + total
    if count:
        text = f"{text} * {count}"
    return Spelled(text, minus, how.varies, cost + len(text))


def _sum(form: Form, term: Term, how: Summation) -> str:
    if term.per in ("sample", "scalar") and how.rank == 2:
        return "" if form.column else ".squeeze(1)"
    if not how.varies and form.event is None:
        return ".sum()"
    return form.summed(how.rank)


def _count(scope: Scope, term: Term, how: Summation) -> str:
    """Return how often the formula counts, in sizes of a tensor that has a name here."""
    form, rank = scope.form, how.of_rank
    axes = form.counted(_places(term, how) if term.per == "place" else how.axes, rank)
    if not axes:
        return ""
    name = _tensor_of_shape(scope, term)
    if form.event is not None:
        return " * ".join(f"{name}.shape[{axis - rank}]" for axis in axes)
    is_single = len(axes) == 1 and not form.of_any_rank
    is_plain = is_single or (len(axes) == 2 and axes[0] > 1)
    if axes == tuple(range(axes[0], rank)) and not is_plain:
        if "math" in scope.modules:
            return f"{scope.modules['math']}.prod({name}.shape[{axes[0]}:])"
        return f"{name}.shape[{axes[0]}:].numel()"
    return " * ".join(f"{name}.shape[{axis}]" for axis in axes)


def _places(term: Term, how: Summation) -> tuple[int, ...]:
    """Return the axes along which one matrix acts again and again."""
    shape = term.end.value.shape
    size, rank = how.per_place, len(shape)
    acting = term.axis % rank
    if shape[acting] != size:  # axes were moved since
        acting = next((a for a in range(1, rank) if shape[a] == size), 0)
    return tuple(a for a in range(1, rank) if a != acting) if acting else ()


def _tensor_of_shape(scope: Scope, term: Term) -> str:
    for node in (term.end, term.begin):
        name = scope.name(node)
        if name is not None:
            return name
    alike = {
        held: name
        for name, held in scope.moment.held.items()
        if isinstance(held, Node) and held.value.shape == term.end.value.shape
    }
    # The last on the way there: what else has this shape may have it by chance.
    behind = alike.keys() & ancestors(term.end) or alike.keys()
    if behind:
        return alike[max(behind, key=lambda held: held.index)]
    for node in (term.begin, term.end):
        word = scope.tensor(node)
        if word is not None and not _is_costly(word):
            return word  # a slice of something that has a name
    raise UnspeakableError("nothing here has the shape that is counted")


def _is_costly(word: str) -> bool:
    """Return whether a word computes something: what it is made of is tried first."""
    return "(" in word


def said_of(formulas: Formulas, terms: Sequence[Term], scope: Scope, line: int) -> str:
    """Return the sentence that goes with the terms of one line."""
    parts = []
    for term in terms:
        told, often = _what(formulas, term, scope), _how_often(formulas, term)
        parts.append(f"{told}{', ' if often else ''}{often}")
    said = "; ".join(dict.fromkeys(part for part in parts if part))
    return f"line {line} {said}" if said else f"line {line} changes the volume"


def with_derivative(formulas: Formulas, part: Spelled, scope: Scope) -> Spelled:
    """Return a part with its derivative at one entry, where it is of one term that has it."""
    term = part.terms[0]
    if len(part.terms) != 1 or term.derivative is None:
        return part
    after, until = term.begin.index, term.end.index
    between = {node for node in formulas.depending if after < node.index <= until}
    held = scope.held
    derivative = formulas.shortened(term.derivative, term.begin, between, held)
    return replace(part, derivative=_spoken(formulas, derivative, scope))


def _what(formulas: Formulas, term: Term, scope: Scope) -> str:
    derivative = term.derivative
    if term.why or derivative is None:
        return term.why
    factor = _spoken(formulas, derivative, scope)
    if term.end.name in MULTIPLY and factor:
        return f"multiplies by {factor}"
    if term.end.name in DIVIDE:
        below = _spoken(formulas, 1 / derivative, scope)
        if below and derivative.is_number is False:
            return f"divides by {below}"
    name = plain_name(term.end.name)
    at = _spoken(formulas, formulas.symbol(term.begin), scope)
    if not factor:
        return f"has a `{name}`, whose derivative is taken at every entry"
    where = f" at {at}" if at.isidentifier() and at not in factor else ""
    return f"has the derivative {factor}{where}"


def _spoken(formulas: Formulas, expression: Expr, scope: Scope) -> str:
    """Return an expression in the source's names, empty where it is too long or has none."""
    try:
        text = spoken(formulas, sympy.factor_terms(expression), scope)
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
