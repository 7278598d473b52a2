"""Elementary functions of one entry, sums over a sample, and what SymPy lacks of both.

Each function here knows its derivative in a form whose logarithm is stable: the sigmoid's
is s(u) * s(-u), not s(u) * (1 - s(u)).
"""

from typing import Any

import sympy
from sympy import Expr, Function, Integer

from ldjcheck.torch_ops import operation


class Real(Function):  # type: ignore[misc]  # SymPy is not annotated
    """A function whose values are real numbers."""

    is_real = True


class Ln(Real):
    """The logarithm of a plain number, left as it is written: log(256), not 8 log(2)."""


class Sigmoid(Real):
    """1 / (1 + exp(-u))."""

    is_positive = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return s(u) * s(-u)."""
        return Sigmoid(self.args[0]) * Sigmoid(-self.args[0])


class Softplus(Real):
    """log(1 + exp(u))."""

    is_positive = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return s(u)."""
        return Sigmoid(self.args[0])


class LogSigmoid(Real):
    """log(s(u))."""

    is_negative = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return s(-u)."""
        return Sigmoid(-self.args[0])


class Log1p(Real):
    """log(1 + u)."""

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return 1 / (1 + u)."""
        return 1 / (1 + self.args[0])


class Expm1(Real):
    """exp(u) - 1."""

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return exp(u)."""
        return sympy.exp(self.args[0])


class NormalCdf(Real):
    """The standard normal distribution function."""

    is_positive = True

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return the standard normal density."""
        return sympy.exp(-(self.args[0] ** 2) / 2) / sympy.sqrt(2 * sympy.pi)


class NormalQuantile(Real):
    """The inverse of the standard normal distribution function."""

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return one over the density at the quantile."""
        return sympy.sqrt(2 * sympy.pi) * sympy.exp(self**2 / 2)


class Where(Real):
    """One of two values, entry by entry: where(condition, then, otherwise)."""

    @classmethod
    def eval(cls, condition: Expr, then: Expr, otherwise: Expr) -> Expr | None:
        """Return the value where both are one."""
        return then if then == otherwise else None

    def _eval_derivative(self, symbol: Expr) -> Expr:
        condition, then, otherwise = self.args
        return Where(condition, then.diff(symbol), otherwise.diff(symbol))

    def _eval_is_positive(self) -> bool | None:
        return True if all(a.is_positive for a in self.args[1:]) else None


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


def sides(u: Expr, above: Expr, below: Expr) -> Expr:
    """Return a function that has one formula above zero, and another below."""
    return Where(Above(u), above, below)


class Sign(Real):
    """-1, 0 or 1, which has no derivative."""

    def fdiff(self, argindex: int = 1) -> Expr:
        """Return 0."""
        return Integer(0)


class Above(Function):  # type: ignore[misc]  # as above
    """The condition u > 0, which has no derivative."""

    def _eval_derivative(self, symbol: Expr) -> Expr:
        return Integer(0)


def logit(u: Expr, eps: Any = None) -> Expr:
    """Return log(u / (1 - u)).

    Raises:
        ValueError: it is clamped.
    """
    if eps is not None:
        raise ValueError("a clamped logit")
    return sympy.log(u) - sympy.log(1 - u)


_BY_OPERATION: dict[str, Any] = {
    "add": lambda a, b, alpha=1: a + alpha * b,
    "sub": lambda a, b, alpha=1: a - alpha * b,
    "rsub": lambda a, b, alpha=1: b - alpha * a,
    "mul": lambda a, b: a * b,
    "div": divided,
    "true_divide": divided,
    "rdiv": lambda a, b: b / a,
    "reciprocal": lambda a: 1 / a,
    "pow": power,
    "rpow": lambda a, b: power(b, a),
    "square": lambda a: a**2,
    "sqrt": sympy.sqrt,
    "rsqrt": lambda a: 1 / sympy.sqrt(a),
    "neg": lambda a: -a,
    "exp": sympy.exp,
    "exp2": lambda a: Integer(2) ** a,
    "expm1": Expm1,
    "log": sympy.log,
    "log2": lambda u: sympy.log(u) / sympy.log(Integer(2)),
    "log10": lambda u: sympy.log(u) / sympy.log(Integer(10)),
    "log1p": Log1p,
    "logit": logit,
    "sigmoid": Sigmoid,
    "logsigmoid": LogSigmoid,
    "log_sigmoid": LogSigmoid,
    "softplus": lambda u, beta=1, threshold=20: Softplus(beta * u) / beta,
    "tanh": sympy.tanh,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "asinh": sympy.asinh,
    "acosh": sympy.acosh,
    "atanh": sympy.atanh,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "atan": sympy.atan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "erf": sympy.erf,
    "erfinv": sympy.erfinv,
    "ndtr": NormalCdf,
    "ndtri": NormalQuantile,
    "abs": sympy.Abs,
    "sign": Sign,
    "where": Where,
    "relu": lambda u, inplace=False: sides(u, u, Integer(0)),
    "leaky_relu": lambda u, slope=0.01, inplace=False: sides(u, u, slope * u),
    "elu": lambda u, alpha=1.0, *_: sides(u, u, alpha * Expm1(u)),
    "silu": lambda u, inplace=False: u * Sigmoid(u),
    "softsign": lambda u: u / (1 + sympy.Abs(u)),
    "lerp": lambda a, b, w: a + w * (b - a),
    "addcmul": lambda a, b, c, value=1: a + value * b * c,
    "addcdiv": lambda a, b, c, value=1: a + value * b / c,
    "hardtanh": lambda u, *_: u,
    "clamp": lambda u, *_, **__: u,
    "clamp_min": lambda u, *_, **__: u,
    "clamp_max": lambda u, *_, **__: u,
}  # bounds are looked at where they are met
FUNCTIONS = {
    alias: function
    for name, function in _BY_OPERATION.items()
    for alias in operation(name).plain_names
}
"""By an operation's names without underscores."""

NAMES = {
    function: name
    for name, function in reversed(_BY_OPERATION.items())
    if isinstance(function, type) and function is not Where
} | {Softplus: "softplus", Ln: "log", sympy.sign: "sign"}
"""The operation that a function is written as; the derivative of |u| is SymPy's own."""


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


class LogAbsDet(Real):
    """log|det| of a matrix, or of each of several."""


class Flattened(Real):
    """A kernel without its axes of length one: a matrix."""


class LogDiagonal(Real):
    """The sum of the logarithms of a matrix's diagonal, of absolute values."""


class Total(Real):
    """The sum of a vector's entries."""
