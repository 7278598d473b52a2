"""Elementary functions of one entry, as SymPy has them, and those that it lacks.

Each function here knows its derivative in a form whose logarithm is stable: the sigmoid's
is s(u) * s(-u), not s(u) * (1 - s(u)).
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Expr, Function, Integer


class Ln(Function):  # type: ignore[misc]  # SymPy is not annotated
    """The logarithm of a plain number, left as it is written: log(256), not 8 log(2)."""

    is_real = True


class Sigmoid(Function):  # type: ignore[misc]  # as above
    """1 / (1 + exp(-u))."""

    is_positive = True
    is_real = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return s(u) * s(-u)."""
        return Sigmoid(self.args[0]) * Sigmoid(-self.args[0])


class Softplus(Function):  # type: ignore[misc]  # as above
    """log(1 + exp(u))."""

    is_positive = True
    is_real = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return s(u)."""
        return Sigmoid(self.args[0])


class LogSigmoid(Function):  # type: ignore[misc]  # as above
    """log(s(u))."""

    is_negative = True
    is_real = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return s(-u)."""
        return Sigmoid(-self.args[0])


class Log1p(Function):  # type: ignore[misc]  # as above
    """log(1 + u)."""

    is_real = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return 1 / (1 + u)."""
        return 1 / (1 + self.args[0])


class Expm1(Function):  # type: ignore[misc]  # as above
    """exp(u) - 1."""

    is_real = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return exp(u)."""
        return sympy.exp(self.args[0])


class NormalCdf(Function):  # type: ignore[misc]  # as above
    """The standard normal distribution function."""

    is_positive = True
    is_real = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return the standard normal density."""
        return sympy.exp(-(self.args[0] ** 2) / 2) / sympy.sqrt(2 * sympy.pi)


class NormalQuantile(Function):  # type: ignore[misc]  # as above
    """The inverse of the standard normal distribution function."""

    is_real = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return one over the density at the quantile."""
        return sympy.sqrt(2 * sympy.pi) * sympy.exp(self**2 / 2)


class Where(Function):  # type: ignore[misc]  # as above
    """One of two values, entry by entry: where(condition, then, otherwise)."""

    is_real = True

    @classmethod
    def eval(cls, condition: Expr, then: Expr, otherwise: Expr) -> Expr | None:
        """Return the value where both are one."""
        return then if then == otherwise else None

    def _eval_derivative(self, symbol: Expr) -> Expr:
        condition, then, otherwise = self.args
        return Where(condition, then.diff(symbol), otherwise.diff(symbol))

    def _eval_is_positive(self) -> bool | None:
        return True if all(a.is_positive for a in self.args[1:]) else None


def real_abs(u: Expr) -> Expr:
    """Return |u|, whose derivative is the sign of u."""
    return sympy.Abs(u)


def log_base(base: int) -> Any:
    """Return the logarithm to a base."""
    return lambda u: sympy.log(u) / sympy.log(Integer(base))


def power(base: Expr, exponent: Expr) -> Expr:
    """Return base**exponent; a whole float exponent is a whole number."""
    if exponent.is_Float and float(exponent) == int(exponent):
        exponent = Integer(int(exponent))
    return base**exponent


def divided(a: Expr, b: Expr, rounding_mode: Any = None) -> Expr:
    """Return a / b.

    Raises:
        ValueError: it is rounded.
    """
    if rounding_mode is not None:
        raise ValueError("a rounded quotient")
    return a / b


def leaky(u: Expr, slope: Any = 0.01, inplace: Any = False) -> Expr:
    """Return u above zero, slope * u below."""
    return sides(u, u, slope * u)


def sides(u: Expr, above: Expr, below: Expr) -> Expr:
    """Return a function that has one formula above zero, and another below."""
    return Where(Above(u), above, below)


class Sign(Function):  # type: ignore[misc]  # as above
    """-1, 0 or 1, which has no derivative."""

    is_real = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return 0."""
        return Integer(0)


class Above(Function):  # type: ignore[misc]  # as above
    """The condition u > 0, which has no derivative."""

    def _eval_derivative(self, symbol: Expr) -> Expr:
        return Integer(0)


def elu(u: Expr, alpha: Any = 1.0, *_: Any) -> Expr:
    """Return u above zero, alpha * (exp(u) - 1) below."""
    return sides(u, u, alpha * Expm1(u))


def softplus(u: Expr, beta: Any = 1, threshold: Any = 20) -> Expr:
    """Return log(1 + exp(beta * u)) / beta."""
    return Softplus(beta * u) / beta


def logit(u: Expr, eps: Any = None) -> Expr:
    """Return log(u / (1 - u)).

    Raises:
        ValueError: it is clamped.
    """
    if eps is not None:
        raise ValueError("a clamped logit")
    return sympy.log(u) - sympy.log(1 - u)


FUNCTIONS: dict[str, Any] = {
    "add": lambda a, b, alpha=1: a + alpha * b,
    "radd": lambda a, b: a + b,
    "sub": lambda a, b, alpha=1: a - alpha * b,
    "subtract": lambda a, b, alpha=1: a - alpha * b,
    "rsub": lambda a, b, alpha=1: b - alpha * a,
    "mul": lambda a, b: a * b,
    "rmul": lambda a, b: a * b,
    "multiply": lambda a, b: a * b,
    "div": divided,
    "divide": divided,
    "truediv": divided,
    "true_divide": divided,
    "rdiv": lambda a, b: b / a,
    "rtruediv": lambda a, b: b / a,
    "reciprocal": lambda a: 1 / a,
    "pow": power,
    "rpow": lambda a, b: power(b, a),
    "float_power": power,
    "square": lambda a: a**2,
    "sqrt": sympy.sqrt,
    "rsqrt": lambda a: 1 / sympy.sqrt(a),
    "neg": lambda a: -a,
    "negative": lambda a: -a,
    "exp": sympy.exp,
    "exp2": lambda a: Integer(2) ** a,
    "expm1": Expm1,
    "log": sympy.log,
    "log2": log_base(2),
    "log10": log_base(10),
    "log1p": Log1p,
    "logit": logit,
    "sigmoid": Sigmoid,
    "expit": Sigmoid,
    "logsigmoid": LogSigmoid,
    "log_sigmoid": LogSigmoid,
    "softplus": softplus,
    "tanh": sympy.tanh,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "asinh": sympy.asinh,
    "arcsinh": sympy.asinh,
    "acosh": sympy.acosh,
    "atanh": sympy.atanh,
    "arctanh": sympy.atanh,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "atan": sympy.atan,
    "arctan": sympy.atan,
    "asin": sympy.asin,
    "arcsin": sympy.asin,
    "acos": sympy.acos,
    "arccos": sympy.acos,
    "erf": sympy.erf,
    "erfinv": sympy.erfinv,
    "ndtr": NormalCdf,
    "ndtri": NormalQuantile,
    "abs": real_abs,
    "absolute": real_abs,
    "sign": Sign,
    "sgn": Sign,
    "where": Where,
    "relu": lambda u, inplace=False: sides(u, u, Integer(0)),
    "leaky_relu": leaky,
    "elu": elu,
    "silu": lambda u, inplace=False: u * Sigmoid(u),
    "softsign": lambda u: u / (1 + sympy.Abs(u)),
    "lerp": lambda a, b, w: a + w * (b - a),
    "addcmul": lambda a, b, c, value=1: a + value * b * c,
    "addcdiv": lambda a, b, c, value=1: a + value * b / c,
    "hardtanh": lambda u, *_: u,
    "clamp": lambda u, *_, **__: u,
    "clip": lambda u, *_, **__: u,
    "clamp_min": lambda u, *_, **__: u,
    "clamp_max": lambda u, *_, **__: u,
}
"""By the operation's name without underscores. Bounds are looked at where they are met."""
