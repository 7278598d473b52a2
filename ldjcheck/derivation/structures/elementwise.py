"""Diagonal and triangular Jacobians: log|det J| is the sum of log|dy_i / dx_i|.

Elementwise maps, conditioned or not; couplings by mask or by halves, and autoregressive
maps. A step is taken apart into pieces that map entry by entry, and their joins: a network's
output is held fixed, and only the direct derivative counts. That the Jacobian is triangular
is not assumed: the sum of the pieces' logarithms is held against the step's own log|det|.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import sympy
from sympy import Expr, Integer

from ldjcheck.derivation.calculus.formulas import (
    Formulas,
    NoFormulaError,
    is_entrywise,
    is_masked,
)
from ldjcheck.derivation.calculus.functions import Log1p
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.tape import Node, descendants
from ldjcheck.tape.node import chain, dominators
from ldjcheck.torch_ops import JOIN, MOVES, PUT, SAME

JOINS = JOIN | PUT
"""What puts entries of several values into one."""

_MOST = 64  # ways to tell what is scaled from what scales it


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A value that follows from another entry by entry; all else is held fixed."""

    begin: Node
    end: Node
    inside: frozenset[Node]


Way = tuple[Segment, ...]


def ways_through(formulas: Formulas, begin: Node, end: Node) -> Iterator[Way]:
    """Yield the ways to read a step as pieces that map entry by entry, the likeliest first.

    There are several where one half scales the other: which of them is scaled is not
    known before the numbers are looked at.

    Raises:
        NoFormulaError: there is none; the operation that is in the way is named.
    """
    yield from itertools.islice(_Walk(formulas, begin).back_from(end), _MOST)


class _Walk:
    """Walks back from a value to the whole one that a step begins with."""

    def __init__(self, formulas: Formulas, begin: Node) -> None:
        self._begin = begin
        order = [n for n in formulas.trace.order if n in formulas.depending]
        self._depending = descendants(order, begin)

    def back_from(self, node: Node) -> Iterator[Way]:
        """Yield the segments on the way to a value, the earlier first."""
        if node is self._begin:
            yield ()
        elif is_masked(node):
            yield from self._stretch(node)
        elif node.name in MOVES and node.args[0] in self._depending:
            yield from self.back_from(node.args[0])
        elif node.name in JOINS:
            yield from self._joined(node)
        elif is_entrywise(node):
            yield from self._stretch(node)
        else:
            raise NoFormulaError.mixing(node)

    def _joined(self, node: Node) -> Iterator[Way]:
        parts = dict.fromkeys(p for p in node.parents if p in self._depending)
        ways = [list(self.back_from(part)) for part in parts]
        for combination in itertools.product(*ways):
            # Each pair of values is gone through once.
            found: dict[tuple[Node, Node], Segment] = {}
            for segment in itertools.chain(*combination):
                found.setdefault((segment.begin, segment.end), segment)
            yield tuple(found.values())

    def _stretch(self, node: Node) -> Iterator[Way]:
        """Yield the ways through a run of operations that work entry by entry."""
        bases, region, mixing = self._region(node)
        if not bases and mixing:
            raise NoFormulaError.mixing(mixing[0])
        if not bases:
            raise NoFormulaError(node, "`?` mixes the entries")
        stuck: NoFormulaError | None = None
        found = False
        for base in bases:
            try:
                before = list(self.back_from(base))
            except NoFormulaError as error:
                stuck = stuck or error
                continue
            pieces = _pieces(base, node, region)
            for way in before:
                found = True
                yield (*way, *pieces)
        if not found and stuck is not None:
            raise stuck

    def _region(self, node: Node) -> tuple[list[Node], set[Node], list[Node]]:
        """Return what a run of such operations starts from, the run, and what mixes.

        Bases that hold as many entries as the run's end come first.
        """
        bases: dict[Node, None] = {}
        mixing: dict[Node, None] = {}
        region = {node}
        stack = [node]
        while stack:
            current = stack.pop()
            for parent in current.parents:
                if parent not in self._depending or parent in region:
                    continue
                if parent is self._begin or (
                    parent.name in MOVES | JOINS and not is_masked(parent)
                ):
                    bases.setdefault(parent)
                elif is_entrywise(parent) or is_masked(parent):
                    region.add(parent)
                    stack.append(parent)
                else:
                    mixing.setdefault(parent)
        whole = [b for b in bases if b.value.numel() == node.value.numel()]
        whole.sort(key=lambda b: -b.index)
        rest = [b for b in bases if b not in whole]
        return [*whole, *rest], region, list(mixing)


def _pieces(base: Node, end: Node, region: set[Node]) -> Way:
    """Return a run cut at the values that everything in it flows through."""
    depending = descendants(sorted(region, key=lambda n: n.index), base)
    ordered = sorted(depending, key=lambda n: n.index)
    above = dominators(ordered, depending, base)
    points = list(chain(end, above))[::-1]
    if points[0] is not base:
        return (Segment(base, end, frozenset(depending - {base})),)
    found = []
    for first, last in itertools.pairwise(points):
        inside = {n for n in depending if first.index < n.index <= last.index}
        if last.name in SAME:
            inside |= {last}
        found.append(Segment(first, last, frozenset(inside)))
    return tuple(found)


def terms(formulas: Formulas, begin: Node, end: Node) -> Iterator[list[Term]]:
    """Yield the terms of a step that maps entry by entry, what conditions it held fixed.

    Raises:
        NoFormulaError: the step does not.
    """
    for way in ways_through(formulas, begin, end):
        found = (_term(formulas, segment) for segment in way)
        yield [term for term in found if term is not None]


def _term(formulas: Formulas, segment: Segment) -> Term | None:
    x = formulas.symbol(segment.begin)
    y = formulas.of(segment.end, segment.begin, segment.inside)
    # SymPy leaves derivatives of absolute values behind.
    derivative = y.diff(x).replace(sympy.Derivative, lambda *_: Integer(0)).doit()
    try:
        expression = formulas.logarithm(_positive_in(y)).of(derivative)
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


def _positive_in(y: Expr) -> set[Expr]:
    """Return what must be above zero for a formula's own logarithms and roots to be real."""
    positive = {log.args[0] for log in y.atoms(sympy.log) if not log.args[0].is_number}
    positive |= {power.base for power in y.atoms(sympy.Pow) if not power.exp.is_integer}
    for function in (sympy.atanh, sympy.asin, sympy.acos):
        positive |= {1 - each.args[0] ** 2 for each in y.atoms(function)}
    return positive | {1 + each.args[0] for each in y.atoms(Log1p)}
