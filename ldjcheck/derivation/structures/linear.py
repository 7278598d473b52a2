"""Linear maps: log|det J| is log|det W|, once for every place at which W acts.

`x @ W`, `F.linear`, einsum, solving with a matrix, and convolutions whose kernel is one
entry wide, where W acts at each of the H * W places. So does batch normalisation by running
statistics, by a diagonal: H * W * sum(log|weight| - log(running_var + eps) / 2).

log|det W| is that of the factors of which W was made: a product gives a sum, a triangular
matrix the logarithms of its diagonal, an inverse a minus, a permutation nothing; all else is
left to `slogdet`.
"""

import math
from collections.abc import Iterator
from typing import Any

import sympy
from sympy import Add, Expr, Integer
from torch import Tensor

from ldjcheck import torch_ops as ops
from ldjcheck.derivation.calculus import functions as f
from ldjcheck.derivation.calculus.formulas import Formulas, NoFormulaError
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.tape import Node
from ldjcheck.tape.node import is_fixed

_NAMES = ("input", "running_mean", "running_var", "weight", "bias", "training",
          "momentum", "eps")  # fmt: skip
_WHY = "scales every channel by weight / sqrt(running_var + eps)"
_DEEP = 6


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
        name = ops.plain_name(node.name)
        inner = [p for p in node.parents if p in depending]
        if name in ops.MIXING | ops.CONVOLUTIONS | ops.SOLVERS:
            return node
        if len(set(inner)) != 1 or not (
            node.name in ops.MOVES or name in ("add", "sub", "rsub")
        ):
            break
        node = inner[0]
    raise NoFormulaError(end, f"`{ops.plain_name(end.name)}` is not linear")


def _matrix(formulas: Formulas, node: Node) -> tuple[Node, int]:
    """Return the matrix of a product, and -1 where it is divided by."""
    depending = formulas.depending
    others = [p for p in node.parents if p not in depending and p.value.dim() > 1]
    if ops.plain_name(node.name) in ops.SOLVERS:
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
    return ops.plain_name(node.name) in ops.CONVOLUTIONS


def _flat(matrix: Node) -> Node:
    """Return the matrix that was given further axes of length one, or is one itself."""
    node = matrix
    while node.value.dim() > 2 and node.name in ops.MOVES and node.args:
        inner = node.args[0]
        same = isinstance(inner, Node) and inner.value.numel() == node.value.numel()
        if not same:
            break
        node = inner
    return node if node.value.dim() == 2 else matrix


def normalisation(formulas: Formulas, begin: Node, end: Node) -> Iterator[list[Term]]:
    """Yield the term of a step that normalises by running statistics.

    Raises:
        NoFormulaError: it does something else, or takes the statistics of the batch.
    """
    node = end
    while node is not begin and node.name in ops.MOVES:
        node = node.args[0]
    if ops.plain_name(node.name) != "batch_norm":
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
            expression=f.Total(scales), begin=begin, end=end, why=_WHY, per="place",
            size=len(variance.value), axis=1,
        )
    ]  # fmt: skip


def log_abs_dets(formulas: Formulas, matrix: Node, *, kernel: bool) -> list[Expr]:
    """Return formulas of log|det| of a matrix, the one that says most first.

    A `kernel` is one of a convolution, with further axes of length one.
    """
    symbol = formulas.symbol(matrix)
    plain = f.LogAbsDet(f.Flattened(symbol) if kernel else symbol)
    if formulas.literal or kernel:
        return [plain]
    by_factors = _by_factors(formulas, matrix)
    return [plain] if by_factors in (None, plain) else [by_factors, plain]


def _by_factors(formulas: Formulas, matrix: Node, depth: int = 0) -> Expr | None:
    """Return log|det| by how a matrix was made, None where that says nothing."""
    value, name = matrix.value, ops.plain_name(matrix.name)
    if value.dim() < 2 or value.shape[-1] != value.shape[-2] or depth > _DEEP:
        return None
    if value.dim() == 2 and is_fixed(matrix) and _is_permutation(value):
        return Integer(0)
    first = matrix.args[0] if matrix.function is not None and matrix.args else None
    if matrix.function is None:
        return _by_triangle(formulas, matrix)
    if name in ops.TURNED or matrix.name in ops.SAME:
        return _sure(formulas, first, depth)
    if name in ops.INVERTED:
        inner = _sure(formulas, first, depth)
        return None if inner is None else -inner
    if name in ops.FACTORS:
        square = all(p.value.dim() > 1 and _is_square(p) for p in matrix.parents)
        found = [_sure(formulas, p, depth) for p in matrix.parents if square]
        return Add(*found) if square and None not in found else None
    if (
        name in ops.DIAGONALS
        and first is not None
        and first.value.dim() == value.dim() - 1
    ):
        return _of_vector(formulas, first)
    if name == "add" and value.dim() == 2:
        found_sum = _triangle_and_diagonal(formulas, matrix)
        if found_sum is not None:
            return found_sum
    return _by_triangle(formulas, matrix)


def _sure(formulas: Formulas, matrix: object, depth: int) -> Expr | None:
    """Return log|det| by factors, else by `slogdet`."""
    if not isinstance(matrix, Node):
        return None
    found = _by_factors(formulas, matrix, depth + 1)
    return f.LogAbsDet(formulas.symbol(matrix)) if found is None else found


def _by_triangle(formulas: Formulas, matrix: Node) -> Expr | None:
    """Return the logarithms of the diagonal where a matrix is triangular."""
    value = matrix.value
    if value.dim() != 2 or not _is_triangular(value):
        return None
    if bool((value.diagonal() == 1).all()):
        return Integer(0)
    return f.LogDiagonal(formulas.symbol(matrix))


def _triangle_and_diagonal(formulas: Formulas, matrix: Node) -> Expr | None:
    """Return the logarithms of a diagonal that was added to a strict triangle."""
    parts = [p for p in matrix.parents if p.value.dim() == 2]
    if len(parts) != 2 or not _is_triangular(matrix.value):
        return None
    for strict, diagonal in (parts, parts[::-1]):
        if bool(strict.value.diagonal().any()):
            continue
        if bool((diagonal.value.diagonal() == 1).all()):
            return Integer(0)
        if ops.plain_name(diagonal.name) in ops.DIAGONALS:
            return _of_vector(formulas, diagonal.args[0])
    return None


def _of_vector(formulas: Formulas, vector: Node) -> Expr:
    return f.Total(formulas.logarithm().of(formulas.symbol(vector)))


def _is_square(node: Node) -> bool:
    return bool(node.value.shape[-1] == node.value.shape[-2])


def _is_triangular(value: Tensor) -> bool:
    above, below = value.triu(1), value.tril(-1)
    return not bool(above.any()) or not bool(below.any())


def _is_permutation(value: Tensor) -> bool:
    binary = bool(((value == 0) | (value == 1)).all())
    return binary and all(bool((value.sum(axis) == 1).all()) for axis in (0, 1))
