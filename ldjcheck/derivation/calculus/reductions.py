"""Sums over one sample inside of a formula, and matrices that stand the other way."""

from __future__ import annotations

from sympy import Expr, Function


class EventSum(Function):  # type: ignore[misc]  # SymPy is not annotated
    """The sum of an expression over the entries of a sample.

    Further arguments: the axes of a batch, whether the axes are kept with length one, and
    whether it is a mean.
    """

    is_real = True


class Dims(Function):  # type: ignore[misc]  # as above
    """How many entries a sample of a tensor has."""

    is_positive = True
    is_integer = True
    is_real = True


class Turned(Function):  # type: ignore[misc]  # as above
    """A matrix with its axes exchanged."""

    is_real = True

    @classmethod
    def eval(cls, matrix: Expr) -> Expr | None:
        """Return the matrix itself where it was turned before."""
        return matrix.args[0] if isinstance(matrix, cls) else None


class Product(Function):  # type: ignore[misc]  # as above
    """The product of matrices."""

    is_real = True


class HiddenDeterminant(Function):  # type: ignore[misc]  # as above
    """log|det(I + diag(slopes) W1 W2)| for each sample, W1 and W2 as `(out, in)`.

    Arguments: the slopes, `(batch, hidden)` or one number; W1; and W2, or 0 for none.
    """

    is_real = True
