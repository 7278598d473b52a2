"""When numbers count as the same: as well as a trace of the layer can tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ldjcheck.tape import Trace

FITS = 4e-7  # relative: what numbers agree to that were computed in different ways
ADDS_UP = 1e-7  # relative: what a total and the sum of its parts agree to
EXACTLY = 1e-9  # a number that is off by less is the number that is written
SOMETHING = 1e-9  # nats: what is worth less is worth nothing
_LEAST = 1e-12  # nats: what rounding may leave of nothing
_APART = 1e-6  # nats: by how much samples differ that are not alike


def same(a: Tensor, b: Tensor, tolerance: float | Tensor = FITS) -> bool:
    """Return whether two `(batch,)` numbers agree on every sample, and are finite."""
    if not (a.isfinite().all() and b.isfinite().all()):
        return False
    return bool(((a - b).abs() <= tolerance * (1 + b.abs())).all())


def alike(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors of one shape hold the same numbers, rounding apart."""
    if not (a.is_floating_point() and b.is_floating_point()):
        return a.equal(b)
    return same(a.double(), b.double())


def fits(trace: Trace, value: Tensor, expected: Tensor) -> bool:
    """Return whether two `(batch,)` numbers agree as well as this trace can tell."""
    slack = trace.slack / (1 + expected.abs())  # `same` takes what is relative
    return same(value, expected, trace.tolerance + slack)


def is_constant(values: Sequence[Tensor]) -> bool:
    """Return whether the numbers are the same for all samples of each configuration."""
    return not any(
        bool(((v - v[0]).abs() > 1e-9 * (1 + v.abs().max())).any()) for v in values
    )


def varies(values: Tensor) -> bool:
    """Return whether `(batch,)` numbers differ clearly from sample to sample."""
    return bool(((values - values[0]).abs() > _APART).any())


def adds_something(amounts: Iterable[Tensor]) -> bool:
    """Return whether any of some amounts, each `(batch,)` in nats, is more than rounding."""
    return any(bool((amount.abs() > _LEAST).any()) for amount in amounts)
