"""Sums over one sample inside of a formula, and matrices that stand the other way."""

from __future__ import annotations

from sympy import Function


class EventSum(Function):  # type: ignore[misc]  # SymPy is not annotated
    """The sum of an expression over the entries of a sample.

    Further arguments: the axes of a batch, whether the axes are kept with length one, and
    whether it is a mean.
    """

    is_real = True


class Turned(Function):  # type: ignore[misc]  # as above
    """A matrix with its axes exchanged."""

    is_real = True
