"""Linear maps: log|det J| is log|det W|, once for every place at which W acts.

`x @ W`, `F.linear`, einsum, solving with a matrix, and convolutions whose kernel is one
entry wide, where W acts at each of the H * W places. So does batch normalisation by running
statistics, by a diagonal: H * W * sum(log|weight| - log(running_var + eps) / 2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import sympy
from sympy import Expr

from ldjcheck.derivation.calculus.formulas import Formulas, NoFormulaError
from ldjcheck.derivation.calculus.matrices import Total, log_abs_dets
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.tape import Node
from ldjcheck.torch_ops import CONVOLUTIONS, MIXING, MOVES, SOLVERS, plain_name


def terms(formulas: Formulas, begin: Node, end: Node) -> Iterator[list[Term]]:
    """Yield the term of a step that multiplies by one matrix.

    Raises:
        NoFormulaError: the step does something else.
    """
    node = _mixing(formulas, begin, end)
    matrix, sign = _matrix(formulas, node)
    flat = _flat(matrix)
    is_kernel = _is_convolution(node) and flat.value.dim() > 2
    size = flat.value.shape[1 if is_kernel else -1]
    if _is_convolution(node) and math.prod(matrix.value.shape[2:]) != 1:
        raise NoFormulaError(
            node, "a convolution with a kernel wider than one entry mixes places"
        )
    if flat.value.dim() < 2 or flat.value.shape[0 if is_kernel else -2] != size:
        raise NoFormulaError(node, "its matrix is not square")
    for logdet in log_abs_dets(formulas, flat, kernel=is_kernel):
        axis = 1 if _is_convolution(node) else -1
        yield [_term(begin, end, sign * logdet, size, axis)] if logdet != 0 else []


def _term(begin: Node, end: Node, logdet: Expr, size: int, axis: int) -> Term:
    return Term(
        expression=logdet, begin=begin, end=end, per="place", size=size, axis=axis,
        why="multiplies by a matrix, whose log|det| counts",
    )  # fmt: skip


def _mixing(formulas: Formulas, begin: Node, end: Node) -> Node:
    """Return the operation that multiplies, what only moves or shifts left aside."""
    node = end
    depending = formulas.depending
    while node is not begin:
        name = plain_name(node.name)
        inner = [p for p in node.parents if p in depending]
        if name in MIXING | CONVOLUTIONS | SOLVERS:
            return node
        if len(set(inner)) != 1 or not (
            node.name in MOVES or name in ("add", "sub", "rsub")
        ):
            break
        node = inner[0]
    raise NoFormulaError(end, f"`{plain_name(end.name)}` is not linear")


def _matrix(formulas: Formulas, node: Node) -> tuple[Node, int]:
    """Return the matrix of a product, and -1 where it is divided by."""
    depending = formulas.depending
    others = [p for p in node.parents if p not in depending and p.value.dim() > 1]
    if plain_name(node.name) in SOLVERS:
        first = node.args[0]
        if isinstance(first, Node) and first not in depending:
            return first, -1
        second = node.args[1]
        if isinstance(second, Node) and second not in depending:
            return second, -1
    if len(others) != 1 or sum(p in depending for p in node.parents) != 1:
        raise NoFormulaError(node, "both factors depend on the input")
    return others[0], 1


def _is_convolution(node: Node) -> bool:
    return plain_name(node.name) in CONVOLUTIONS


def _flat(matrix: Node) -> Node:
    """Return the matrix that was given further axes of length one, or is one itself."""
    node = matrix
    while node.value.dim() > 2 and node.name in MOVES and node.args:
        inner = node.args[0]
        same = isinstance(inner, Node) and inner.value.numel() == node.value.numel()
        if not same:
            break
        node = inner
    return node if node.value.dim() == 2 else matrix


_NAMES = ("input", "running_mean", "running_var", "weight", "bias", "training",
          "momentum", "eps")  # fmt: skip
_WHY = "scales every channel by weight / sqrt(running_var + eps)"


def normalisation(formulas: Formulas, begin: Node, end: Node) -> Iterator[list[Term]]:
    """Yield the term of a step that normalises by running statistics.

    Raises:
        NoFormulaError: it does something else, or takes the statistics of the batch.
    """
    node = end
    while node is not begin and node.name in MOVES:
        node = node.args[0]
    if plain_name(node.name) != "batch_norm":
        raise NoFormulaError.mixing(end)
    given: dict[str, Any] = {
        **dict(zip(_NAMES, node.args, strict=False)),
        **node.kwargs,
    }
    variance, weight = given.get("running_var"), given.get("weight")
    if given.get("training") or not isinstance(variance, Node):
        raise NoFormulaError(node, "`batch_norm` takes the statistics of the batch")
    eps = formulas.number(node, _NAMES.index("eps"), float(given.get("eps", 1e-5)))
    scales: Expr = -sympy.log(formulas.symbol(variance) + eps) / 2
    if isinstance(weight, Node):
        scales += sympy.log(sympy.Abs(formulas.symbol(weight)))
    yield [
        Term(
            expression=Total(scales), begin=begin, end=end, why=_WHY, per="place",
            size=len(variance.value), axis=1,
        )
    ]  # fmt: skip
