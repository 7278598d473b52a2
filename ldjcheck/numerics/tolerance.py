"""How far a right layer may be off: an error model, not a constant.

The exact ldj comes out of an LU factorisation of J, whose relative backward error grows
with the number of dims and with the condition of J (Higham, *Accuracy and Stability of
Numerical Algorithms*, section 14.6). The reported ldj is a sum of terms that are each
rounded. Both errors are multiples of the machine epsilon of the arithmetic that was
really done.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

MACHINE_EPSILON = {
    "float64": 2.0**-52,
    "float32": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
}

# A right layer's rounding stayed below 10 units in every library tried; the factor
# leaves room for long chains of operations and is still far below any mistake. What has
# few digits has no room for as many.
_SAFETY = 256.0
_SAFETIES = {"float16": 2.0, "bfloat16": 2.0}

COARSE = frozenset(_SAFETIES)
"""Precisions of two or three digits."""

_SATURATED = 1e-3  # a scale factor below this costs digits that are worth counting

CLEARLY = 10.0
"""Times what is allowed: what is off by more is wrong, by less than once that is right.

A bound is an estimate of rounding. Between the two neither is proved.
"""

VISIBLE = 1e-5
"""Nats below which an exact value counts as zero, and a difference as a small one."""

SOLVER_RESIDUAL = 1e-4
"""A way back that is off by at most this may stop where its solver did."""

SOFTPLUS_TAIL = 2.1e-9
"""exp(-20), per dim: torch's softplus is the identity above 20, its logarithm is not."""


_UNITS = {"float64": 256.0, "float32": 16.0, "float16": 4.0, "bfloat16": 4.0}
"""Units of rounding that a long chain of operations may leave of a zero.

A precision with few digits has no room for as many of them.
"""

DIFFERENCED = {"float64": 1e-8, "float32": 1e-3, "float16": 1e-1, "bfloat16": 0.3}
"""What central differences leave of a zero, relative to the largest entry."""


def lost_below(dims: int, dtype: str) -> float:
    """Return the share of the largest singular value that rounding may leave of none.

    The norm of a matrix of `dims` x `dims` rounding errors grows with the root of `dims`
    (Golub and Van Loan, *Matrix Computations*, section 5.4.1; Davidson and Szarek).
    """
    return _UNITS[dtype] * MACHINE_EPSILON[dtype] * max(1.0, math.sqrt(dims) / 2.0)


def kept_above(lost: float) -> float:
    """Return the share above which a singular value is clearly none that rounding made.

    Half the digits lie between it and what is `lost`: what falls off step by step, as the
    singular values of a Hilbert matrix do, has one there.
    """
    return math.sqrt(lost)


def remains(kept: float, count: int, dtype: str) -> float:
    """Return the least log|det| that rounding leaves of a determinant of zero, in nats.

    `kept` is the sum of the logarithms of the singular values that are not lost, of a
    matrix whose largest entry is one, and `count` how many are. Of each, rounding leaves
    about one unit, and seldom less than a thousandth of it.
    """
    return (
        kept + (count + 1) * math.log(1e-3) + count * math.log(MACHINE_EPSILON[dtype])
    )


def again(values: Tensor) -> float:
    """Return by what share numbers may differ of a call that is made once more."""
    return 1e-11 if values.element_size() > 4 else 1e-5


def is_once_more(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors may come of one call made twice, rounding apart.

    Threads, and kernels for another batch, add up in another order.
    """
    relative = max(again(a), again(b))
    if a.shape != b.shape:
        return False
    a, b = a.detach().double(), b.detach().double()
    return bool(a.isclose(b, rtol=relative, atol=relative, equal_nan=True).all())


def says_nothing(values: Tensor, dims: int, dtype: str = "float64") -> bool:
    """Return whether numbers, in nats, are what rounding leaves of sums of zero."""
    least = _UNITS[dtype] * MACHINE_EPSILON[dtype] * dims
    return bool((values.abs() <= least).all())


SQUEEZES = 1e5
"""A condition below this leaves float32 some digits of log|det J|."""

OPEN = 0.1
"""Nats by which a digit's rounding may move log|det J| before nothing of it is known."""


def hides_mistakes(dims: int) -> float:
    """Return the allowed difference above which a mistake could hide, in nats.

    The smallest constants met in flows are of the size 1e-5 and count once per dim.
    """
    return max(1e-4, 1e-5 * dims)


def tells_a_mistake(dims: int) -> float:
    """Return the difference that no rounding, and no fine approximation, explains, in nats."""
    return 10.0 * hides_mistakes(dims)


def _rounding(dtype: str) -> float:
    """Return what a long chain of operations may leave of one, by rounding."""
    return MACHINE_EPSILON[dtype] * _SAFETIES.get(dtype, _SAFETY)


def allowed_difference(
    *,
    dims: int,
    exact: float,
    reported: float,
    condition: float,
    dtype: str,
    noise: float = 0.0,
    contraction: float = 1.0,
    largest: float = 1.0,
    taken: float = 0.0,
    atol: float | None = None,
    rtol: float | None = None,
) -> float:
    """Return the largest |reported - exact| that rounding explains, in nats.

    `condition` is the condition number of J after its rows and columns are scaled (1 for
    a triangular J), `noise` how far the numbers were seen to scatter where only rounding
    was different. `contraction` is the smallest scale factor of the map and `largest` its
    largest output: where a map saturates, as tanh does, the output keeps few digits of the
    input, and a derivative like 1 - tanh(x)**2 no more. Numbers that agree without that
    allowance get none: they are proved by the narrower bound. `taken` is the log-density
    that was taken off the ldj: where it is large, what is left has few digits.

    Given `atol` or `rtol`, the user's word counts instead: atol + rtol * |exact|, as in
    `torch.isclose`.
    """
    if atol is not None or rtol is not None:
        return (atol or 0.0) + (rtol or 0.0) * abs(exact)
    size = 1.0 + sum(abs(n) for n in (exact, reported, taken) if abs(n) < 1e300)
    epsilon, rounding = MACHINE_EPSILON[dtype], _rounding(dtype)
    saturation = dims * (1.0 + largest) / max(contraction, epsilon**2) / 16.0
    terms = dims + size + dims * condition / 64.0
    plain = rounding * terms + noise
    if contraction >= _SATURATED or abs(reported - exact) <= plain:
        return plain
    return plain + rounding * saturation


def blurred(dims: int, blur: Tensor, dtype: str) -> Tensor:
    """Return what numbers may be off by whose map loses digits on the way, in nats.

    `blur` is how far the input of some step may move unseen, in units of the last place.
    """
    return dims * _rounding(dtype) / 16.0 * blur


def round_trip_allowed(*, x: float, y: float, contraction: float, dtype: str) -> float:
    """Return the largest |inverse(f(x)) - x| that rounding explains.

    `x` and `y` are the largest entries, `contraction` the smallest singular value of J:
    what rounding did to y, the way back magnifies by its reciprocal.
    """
    if contraction <= 0.0:
        return float("inf")
    return _rounding(dtype) * (1.0 + x + (1.0 + y) * max(1.0, 1.0 / contraction))


CHANCE = 6.0
"""Standard errors that chance explains, heavy tails and many comparisons included."""

CHANCE_OF_ALL = 4.5
"""The same for one number that is drawn from all samples together."""

DOUBT = 3.3
"""Standard errors of that number which chance brings about once in a thousand times."""


def common_factor(samples: Iterable[tuple[float, float, float]]) -> tuple[float, float]:
    """Return q in reported = q * exact, by least squares, and its standard error.

    Each sample is reported, exact, and the standard error of reported, in nats. Together
    they tell a factor that no single one of them would.
    """
    products = squares = 0.0
    for reported, exact, error in samples:
        weight = 1.0 / max(error, 1e-12) ** 2
        products += weight * reported * exact
        squares += weight * exact * exact
    if not squares:
        return 1.0, math.inf
    return products / squares, 1.0 / math.sqrt(squares)


def common_shift(samples: Iterable[tuple[float, float, float]]) -> tuple[float, float]:
    """Return c in reported = exact + c, by least squares, and its standard error.

    The samples are those of `common_factor`.
    """
    shifts = weights = 0.0
    for reported, exact, error in samples:
        weight = 1.0 / max(error, 1e-12) ** 2
        shifts += weight * (reported - exact)
        weights += weight
    if not weights:
        return 0.0, math.inf
    return shifts / weights, 1.0 / math.sqrt(weights)


def excess(samples: Iterable[tuple[float, float, float]]) -> float:
    """Return by how many standard errors samples lie further apart than by chance.

    What they are off by has a sum of squares of a chi-square law, whose cube root is
    normal (Wilson and Hilferty 1931). The samples are those of `common_factor`.
    """
    off = [(reported - exact) / max(error, 1e-12) for reported, exact, error in samples]
    if not off:
        return 0.0
    spread = 2 / (9 * len(off))
    share = sum(each * each for each in off) / len(off)
    return float(share ** (1 / 3) - 1 + spread) / math.sqrt(spread)
