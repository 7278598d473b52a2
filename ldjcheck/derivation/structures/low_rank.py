"""A diagonal and a product of few directions more: log|det| by the determinant lemma.

Planar and radial maps, and all that adds a function of one number of the sample, such as
its mean, its norm, or w @ x, to each of its entries. With y_i = f_i(x_i, r) and r = r(x)::

    J = diag(d) + u v^T           d = df/dx, u = df/dr, v = dr/dx
    log|det J| = sum(log|d|) + log|1 + sum(u * v / d)|

Sylvester flows, and residual maps whose branch is W2 h(W1 x + b). With y = x * d + s * W2
h(W1 x + b), d and s numbers, and as many hidden units as may be::

    log|det J| = log|det(I + (W1 W2) * h')|      (by Sylvester's identity)

h' is the slope of every hidden unit. Where there is no W2, the matrix is I + h' * W1.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sympy
from sympy import Add, Expr, Integer, Mul, Symbol

from ldjcheck.derivation.calculus import functions as f
from ldjcheck.derivation.calculus.formulas import (
    Formulas,
    NoFormulaError,
    entries_before,
    is_entrywise,
)
from ldjcheck.derivation.calculus.logarithm import Logarithm
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.tape import Node
from ldjcheck.torch_ops import HIDDEN, MOVES, PROJECTIONS, plain_name

_SUMS = ("sum", "mean")
_NORMS = ("norm", "linalg_norm", "linalg_vector_norm")
_WHY = "adds what depends on one number of the sample: by the matrix determinant lemma"


_TURNED = ("t", "T", "mT", "transpose")
_ADDS_LAYER = (
    "adds a hidden layer: its Jacobian is the identity and a product of matrices"
)


@dataclass(frozen=True, slots=True, eq=False)
class _Direction:
    """The one number r, what lies between it and the output, and dr/dx, entry by entry."""

    root: Node
    inside: frozenset[Node]
    before: frozenset[Node]  # between the step's beginning and r
    slope: Expr
    square: Expr | None = None  # what r**2 is the sum of, where r is a norm
    is_mean: bool = False


def terms(formulas: Formulas, begin: Node, end: Node) -> Iterator[list[Term]]:
    """Yield the terms of a step that is diagonal but for one direction.

    Raises:
        NoFormulaError: it is something else.
    """
    direction = _direction(formulas, begin, end)
    x, r = formulas.symbol(begin), formulas.symbol(direction.root)
    y = formulas.of(end, begin, direction.inside)
    named = _Named(formulas, begin, direction)
    along, across = named.shortened(y.diff(x)), named.shortened(y.diff(r))
    if along == 0:
        raise NoFormulaError(end, "no entry keeps a part of its own")
    taken = formulas.logarithm()
    slope = named.shortened(direction.slope)
    inner = named.summed(sympy.factor_terms(across * slope / along))
    found = [
        Term(
            expression=_determinant(taken, 1 + inner),
            begin=begin, end=end, why=_WHY, per="sample",
        )
    ]  # fmt: skip
    if along != 1:
        per = "scalar" if named.is_scalar(along) else "entry"
        found.insert(
            0,
            Term(
                expression=taken.of(along), derivative=along, begin=begin, end=end,
                per=per,  # type: ignore[arg-type]  # one of the two
            ),
        )  # fmt: skip
    yield found


def _determinant(taken: Logarithm, value: Expr) -> Expr:
    """Return the logarithm of what the lemma leaves, as one fraction."""
    above, below = sympy.fraction(sympy.together(value))
    if value.is_number:
        return taken.of(value)
    if below == 1 or below.is_number:
        return taken.plain(value)
    return taken.plain(sympy.expand(above)) - taken.of(below)


class _Named:
    """Formulas in which what the source has a name for stands by its name."""

    def __init__(self, formulas: Formulas, begin: Node, direction: _Direction) -> None:
        self._formulas = formulas
        self._begin = begin
        self._direction = direction
        self._batch = formulas.trace.batch

    def shortened(self, expression: Expr) -> Expr:
        """Return an expression in the names that the source has for parts of it."""
        known, inside = self._formulas, self._direction.inside | self._direction.before
        return known.shortened(expression, self._begin, inside, known.named)

    def is_scalar(self, expression: Expr) -> bool:
        """Return whether an expression has one value for each sample, or for all."""
        return all(self._is_small(symbol) for symbol in expression.free_symbols)

    def _is_small(self, symbol: Symbol) -> bool:
        node = self._formulas.leaves[symbol].node
        if node is None or node.value.numel() == 1:
            return True
        return node.value.numel() == self._batch == len(node.value)

    def summed(self, expression: Expr) -> Expr:
        """Return the sum over the event of an expression, scalars taken out of it."""
        rank = self._begin.value.dim()
        keep = self._direction.root.value.dim() > 1
        total = Integer(0)
        for part in self._separated(expression):
            scalars: list[Expr] = []
            entries: list[Expr] = []
            for factor in Mul.make_args(part):
                (scalars if self.is_scalar(factor) else entries).append(factor)
            inner, square = Mul(*entries), self._direction.square
            if square is not None and inner == self.shortened(square):
                whole = self._formulas.symbol(self._direction.root) ** 2
            else:
                whole = self._over_event(inner, rank, keep)
            total = total + Mul(*scalars) * whole
        return total

    def _separated(self, expression: Expr) -> tuple[Expr, ...]:
        """Return addends, expanded only where scalars stand in a sum with entries."""
        parts = Add.make_args(expression)
        mixed = any(
            isinstance(factor, Add) and not self.is_scalar(factor)
            for part in parts
            for factor in Mul.make_args(part)
        )
        return tuple(Add.make_args(sympy.expand(expression)) if mixed else parts)

    def _over_event(self, inner: Expr, rank: int, keep: bool) -> Expr:
        is_mean = self._direction.is_mean
        if inner.is_number:
            dims = f.Dims(self._formulas.symbol(self._begin))
            return inner if is_mean else inner * dims
        return f.EventSum(inner, Integer(rank), Integer(keep), Integer(is_mean))


def _direction(formulas: Formulas, begin: Node, end: Node) -> _Direction:
    """Return the one number on which a step depends besides its own entries."""
    batch = formulas.trace.batch
    inside, roots = entries_before(
        formulas,
        end,
        begin,
        ends=lambda n: n.value.numel() == batch,
        passes=lambda n: (
            is_entrywise(n) or (n.value.numel() == batch and n.name in MOVES)
        ),
    )
    if len(roots) != 1:
        raise NoFormulaError(end, "it depends on several numbers of the sample")
    return _with_slope(formulas, begin, roots[0], inside)


def _with_slope(
    formulas: Formulas, begin: Node, root: Node, inside: frozenset[Node]
) -> _Direction:
    """Return the direction with dr/dx, by how r was made.

    Raises:
        NoFormulaError: it was made in a way that is not known.
    """
    name = plain_name(root.name)
    depending = formulas.depending
    entries = [p for p in root.parents if p in depending]
    if len(entries) != 1 or entries[0].value.numel() != begin.value.numel():
        raise NoFormulaError(root, f"`{name}` of several values")
    before, _ = entries_before(formulas, entries[0], begin)
    value = formulas.of(entries[0], begin, before)
    slope = value.diff(formulas.symbol(begin))
    r = formulas.symbol(root)
    if name in _SUMS:
        return _Direction(root, inside, before, slope, is_mean=name == "mean")
    if name in _NORMS:
        return _Direction(root, inside, before, slope * value / r, square=value**2)
    others = [p for p in root.parents if p not in depending and p.value.dim() > 0]
    if name in PROJECTIONS and others:
        weight = others[0]
        factor: Expr = formulas.symbol(weight)
        if weight.value.dim() == 2 and weight.value.shape[-1] == 1:
            factor = f.Turned(factor)
        return _Direction(root, inside, before, slope * factor)
    raise NoFormulaError(root, f"`{name}` of the whole sample")


def hidden_layer(formulas: Formulas, begin: Node, end: Node) -> Iterator[list[Term]]:
    """Yield the hidden_layer of a step that adds one hidden layer to what it is given.

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
        matrix = f.HiddenDeterminant(slope / along, first, Integer(0))
    else:
        if not slope.is_number:
            raise NoFormulaError(end, "what is added is scaled entry by entry")
        hidden = _first_of(outer).args[0]
        bend = formulas.of(hidden, inner, middle).diff(formulas.symbol(inner))
        bend = formulas.shortened(bend, inner, middle | {hidden}, formulas.named)
        first = _weight(formulas, inner, begin)
        second = _weight(formulas, outer, hidden)
        matrix = f.HiddenDeterminant(bend * slope / along, first, second)
    found.append(
        Term(expression=matrix, begin=begin, end=end, why=_ADDS_LAYER, per="sample")
    )
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
            return factors[0] if len(factors) == 1 else f.Product(*factors)
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
    return f.Turned(symbol) if is_turned else symbol


def _first_of(node: Node) -> Node:
    """Return the first of products that follow one another."""
    before = node.args[0]
    while isinstance(before, Node) and _is_product(before):
        node, before = before, before.args[0]
    return node
