"""Sums over one sample inside of a formula, and matrices that stand the other way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.derivation.calculus.functions import Real

if TYPE_CHECKING:
    from sympy import Expr


class EventSum(Real):
    """The sum of an expression over the entries of a sample.

    Further arguments: the axes of a batch, whether the axes are kept with length one, and
    whether it is a mean.
    """


class Dims(Real):
    """How many entries a sample of a tensor has."""

    is_positive = True
    is_integer = True


class Turned(Real):
    """A matrix with its axes exchanged."""

    @classmethod
    def eval(cls, matrix: Expr) -> Expr | None:
        """Return the matrix itself where it was turned before."""
        return matrix.args[0] if isinstance(matrix, cls) else None


class Product(Real):
    """The product of matrices."""


class HiddenDeterminant(Real):
    """log|det(I + diag(slopes) W1 W2)| for each sample, W1 and W2 as `(out, in)`.

    Arguments: the slopes, `(batch, hidden)` or one number; W1; and W2, or 0 for none.
    """
