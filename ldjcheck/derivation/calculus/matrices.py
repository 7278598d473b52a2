"""log|det| of a matrix by the factors that it was made of.

A product of matrices gives a sum, a triangular matrix the logarithms of its diagonal, an
inverse a minus, a permutation nothing; all else is left to `slogdet`.
"""

from __future__ import annotations

import torch
from sympy import Expr, Integer

from ldjcheck.derivation.calculus.formulas import Formulas
from ldjcheck.derivation.calculus.functions import Real
from ldjcheck.tape import Node
from ldjcheck.tape.linear import is_fixed
from ldjcheck.torch_ops import DIAGONALS, FACTORS, INVERTED, SAME, TURNED, plain_name

_DEEP = 6


class LogAbsDet(Real):
    """log|det| of a matrix, or of each of several."""


class Flattened(Real):
    """A kernel without its axes of length one: a matrix."""


class LogDiagonal(Real):
    """The sum of the logarithms of a matrix's diagonal, of absolute values."""


class Total(Real):
    """The sum of a vector's entries."""


def log_abs_dets(
    formulas: Formulas, matrix: Node, *, kernel: bool = False
) -> list[Expr]:
    """Return formulas of log|det| of a matrix, the one that says most first.

    A `kernel` is one of a convolution, with further axes of length one.
    """
    symbol = formulas.symbol(matrix)
    plain = LogAbsDet(Flattened(symbol) if kernel else symbol)
    if formulas.literal or kernel:
        return [plain]
    by_factors = _Factors(formulas).of(matrix, 0)
    return [plain] if by_factors in (None, plain) else [by_factors, plain]


class _Factors:
    def __init__(self, formulas: Formulas) -> None:
        self._formulas = formulas

    def of(self, matrix: Node, depth: int) -> Expr | None:
        """Return log|det| by how a matrix was made, None where that says nothing."""
        value, name = matrix.value, plain_name(matrix.name)
        if value.dim() < 2 or value.shape[-1] != value.shape[-2] or depth > _DEEP:
            return None
        if value.dim() == 2 and is_fixed(matrix) and _is_permutation(value):
            return Integer(0)
        if matrix.function is None:
            return self._plain(matrix)
        first = matrix.args[0] if matrix.args else None
        if name in TURNED or matrix.name in SAME:
            return self._sure(first, depth)
        if name in INVERTED:
            inner = self._sure(first, depth)
            return None if inner is None else -inner
        if name in FACTORS:
            return self._product(matrix, depth)
        vector = first is not None and first.value.dim() == value.dim() - 1
        if name in DIAGONALS and first is not None and vector:
            return self._of_vector(first)
        if name == "add" and value.dim() == 2:
            found = self._triangle_and_diagonal(matrix)
            if found is not None:
                return found
        return self._plain(matrix)

    def _sure(self, matrix: object, depth: int) -> Expr | None:
        """Return log|det| by factors, else by `slogdet`."""
        from ldjcheck.tape import Node

        if not isinstance(matrix, Node):
            return None
        found = self.of(matrix, depth + 1)
        return LogAbsDet(self._formulas.symbol(matrix)) if found is None else found

    def _product(self, matrix: Node, depth: int) -> Expr | None:
        factors = matrix.parents
        if any(f.value.dim() < 2 or not _is_square(f) for f in factors):
            return None
        found = [self._sure(factor, depth) for factor in factors]
        total = Integer(0)
        for part in found:
            if part is None:
                return None
            total = total + part
        return total

    def _plain(self, matrix: Node) -> Expr | None:
        """Return the logarithms of the diagonal where a matrix is triangular."""
        value = matrix.value
        if value.dim() != 2 or not _is_triangular(value):
            return None
        if bool((value.diagonal() == 1).all()):
            return Integer(0)
        return LogDiagonal(self._formulas.symbol(matrix))

    def _triangle_and_diagonal(self, matrix: Node) -> Expr | None:
        """Return the logarithms of a diagonal that was added to a strict triangle."""
        parts = [p for p in matrix.parents if p.value.dim() == 2]
        if len(parts) != 2 or not _is_triangular(matrix.value):
            return None
        for strict, diagonal in (parts, parts[::-1]):
            if bool(strict.value.diagonal().any()):
                continue
            if bool((diagonal.value.diagonal() == 1).all()):
                return Integer(0)
            if plain_name(diagonal.name) in DIAGONALS:
                return self._of_vector(diagonal.args[0])
        return None

    def _of_vector(self, vector: Node) -> Expr:
        formulas = self._formulas
        return Total(formulas.logarithm().of(formulas.symbol(vector)))


def _is_square(node: Node) -> bool:
    return bool(node.value.shape[-1] == node.value.shape[-2])


def _is_triangular(value: torch.Tensor) -> bool:
    above, below = value.triu(1), value.tril(-1)
    return not bool(above.any()) or not bool(below.any())


def _is_permutation(value: torch.Tensor) -> bool:
    binary = bool(((value == 0) | (value == 1)).all())
    return binary and all(bool((value.sum(axis) == 1).all()) for axis in (0, 1))
