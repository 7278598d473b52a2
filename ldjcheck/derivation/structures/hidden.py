"""A diagonal and one hidden layer: log|det| of a matrix for each sample.

Sylvester flows, and residual maps whose branch is W2 h(W1 x + b). With y = x * d + s * W2
h(W1 x + b), d and s numbers, and as many hidden units as may be::

    log|det J| = log|det(I + (W1 W2) * h')|      (by Sylvester's identity)

h' is the slope of every hidden unit. Where there is no W2, the matrix is I + h' * W1.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Expr, Integer

from ldjcheck.derivation.calculus.formulas import (
    Formulas,
    NoFormulaError,
    entries_before,
)
from ldjcheck.derivation.calculus.functions import (
    HiddenDeterminant,
    Product,
    Turned,
)
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.tape import Node
from ldjcheck.torch_ops import HIDDEN, plain_name

_TURNED = ("t", "T", "mT", "transpose")
_WHY = "adds a hidden layer: its Jacobian is the identity and a product of matrices"


def terms(formulas: Formulas, begin: Node, end: Node) -> Iterator[list[Term]]:
    """Yield the terms of a step that adds one hidden layer to what it is given.

    Raises:
        NoFormulaError: it is something else.
    """
    if begin.value.dim() != 2:
        raise NoFormulaError(end, "it is no vector to which a hidden layer is added")
    above, products = entries_before(formulas, end, begin, ends=_is_product)
    if len(products) != 1:
        raise NoFormulaError(end, "it is no sum with one hidden layer")
    (outer,) = products
    y = formulas.of(end, begin, above)
    along = sympy.simplify(y.diff(formulas.symbol(begin)))
    slope = y.diff(formulas.symbol(outer))
    if not along.is_number or along == 0:
        raise NoFormulaError.mixing(outer)
    inner, middle = _inner(formulas, outer, begin)
    found = []
    if along != 1:
        found.append(
            Term(
                expression=formulas.logarithm().of(along),
                derivative=along,
                begin=begin,
                end=end,
            )
        )
    if inner is None:
        first = _weight(formulas, outer, begin)
        matrix = HiddenDeterminant(slope / along, first, Integer(0))
    else:
        if not slope.is_number:
            raise NoFormulaError(end, "what is added is scaled entry by entry")
        hidden = _first_of(outer).args[0]
        bend = formulas.of(hidden, inner, middle).diff(formulas.symbol(inner))
        for node in sorted({*middle, hidden} & formulas.named, key=lambda n: -n.index):
            formula = formulas.of(node, inner, middle)
            bend = bend.subs(formula, formulas.symbol(node))
        first = _weight(formulas, inner, begin)
        second = _weight(formulas, outer, hidden)
        matrix = HiddenDeterminant(bend * slope / along, first, second)
    found.append(Term(expression=matrix, begin=begin, end=end, why=_WHY, per="sample"))
    yield found


def _is_product(node: Node) -> bool:
    return plain_name(node.name) in HIDDEN


def _inner(
    formulas: Formulas, outer: Node, begin: Node
) -> tuple[Node | None, frozenset[Node]]:
    """Return the first product, where the last one is not it, and what lies between."""
    hidden = _first_of(outer).args[0]
    if not isinstance(hidden, Node):
        raise NoFormulaError(outer, "a matrix that depends on the input")
    if hidden is begin:
        return None, frozenset()
    between, products = entries_before(formulas, hidden, begin, ends=_is_product)
    if len(products) != 1 or _first_of(products[0]).args[0] is not begin:
        raise NoFormulaError(outer, "several hidden layers, one behind the other")
    return products[0], between


def _weight(formulas: Formulas, node: Node, given: object) -> Expr:
    """Return the matrix of a product, or of several, as `(out, in)`, as `nn.Linear` has it."""
    factors: list[Expr] = []
    while True:
        factors.append(_factor(formulas, node))
        before = node.args[0]
        if before is given:
            return factors[0] if len(factors) == 1 else Product(*factors)
        if not isinstance(before, Node) or not _is_product(before):
            raise NoFormulaError(node, "its matrix is not the second factor")
        node = before


def _factor(formulas: Formulas, node: Node) -> Expr:
    matrix = node.args[1] if len(node.args) > 1 else node.kwargs.get("weight")
    if not isinstance(matrix, Node) or matrix.value.dim() != 2:
        raise NoFormulaError(node, "its matrix is not the second factor")
    if matrix in formulas.depending:
        raise NoFormulaError(node, "its matrix depends on the input")
    is_turned = plain_name(node.name) != "linear"
    inner = matrix.args[0] if matrix.name in _TURNED else None
    if isinstance(inner, Node) and inner.value.dim() == 2:
        matrix, is_turned = inner, not is_turned
    symbol = formulas.symbol(matrix)
    return Turned(symbol) if is_turned else symbol


def _first_of(node: Node) -> Node:
    """Return the first of products that follow one another."""
    before = node.args[0]
    while isinstance(before, Node) and _is_product(before):
        node, before = before, before.args[0]
    return node
