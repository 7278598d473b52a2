"""log|f| of a derivative f, in the forms that neither overflow nor cancel.

A product becomes a sum of logarithms, exp(u) becomes u, a sigmoid a log-sigmoid; a factor
whose sign is not known keeps its absolute value.
"""

from collections.abc import Callable, Collection, Mapping

import sympy
from sympy import Abs, Add, Expr, Integer, Mul, Pow, Symbol

from ldjcheck.derivation.calculus import functions as f

Definition = Callable[[Symbol], "Expr | None"]

_LARGE = 400  # operations of an expression that is no longer looked through
_DEEP = 6


class Logarithm:
    """Takes logarithms of absolute values.

    Args:
        positive: expressions that the map itself takes to be positive, as in log(z).
        indicators: symbols that are 0 or 1, such as masks.
        definition: what a symbol is made of, where that is known.
        sizes: the symbols that are plain numbers, by their values.
    """

    def __init__(
        self,
        positive: Collection[Expr] = (),
        indicators: Collection[Symbol] = (),
        definition: Definition = lambda _: None,
        sizes: Mapping[Symbol, float] | None = None,
    ) -> None:
        self._positive = frozenset(positive)
        self._indicators = frozenset(indicators)
        self._definition = definition
        self._sizes = dict(sizes or {})

    def of(self, factor: Expr, depth: int = 0) -> Expr:
        """Return log|factor|.

        Raises:
            ValueError: the factor is zero.
        """
        if factor.is_zero:
            raise ValueError("a derivative that is zero")
        for rule in (
            self._number, self._product, self._function, self._symbol, self._chosen,
            self._sum,
        ):  # fmt: skip
            found = rule(factor, depth)
            if found is not None:
                return found
        return self.plain(factor)

    def plain(self, factor: Expr) -> Expr:
        """Return the logarithm as it is, of the absolute value unless that is the same."""
        if self.is_positive(factor):
            return _log(factor)
        if self.is_positive(-factor):
            return sympy.log(-factor)
        return sympy.log(Abs(factor))

    def is_positive(self, factor: Expr) -> bool:
        """Return whether a factor is known to be above zero."""
        if factor.is_positive or factor in self._positive:
            return True
        if not factor.free_symbols or not factor.free_symbols <= self._sizes.keys():
            return False
        return bool(factor.subs(self._sizes) > 0)

    def _number(self, factor: Expr, depth: int) -> Expr | None:
        if not factor.is_number:
            return None
        if factor in (1, -1):
            return Integer(0)
        size = sympy.Abs(factor)
        if size.is_Rational and size.p == 1:
            return -f.Ln(sympy.Integer(size.q))
        return f.Ln(size) if size.is_Rational else sympy.log(size)

    def _product(self, factor: Expr, depth: int) -> Expr | None:
        if isinstance(factor, Mul):
            return Add(*(self.of(part, depth) for part in factor.args))
        if isinstance(factor, sympy.exp):
            return factor.args[0]
        if isinstance(factor, Pow):
            base, exponent = factor.args
            if base.is_number and base.is_positive:
                return exponent * f.Ln(base)
            return exponent * self.of(base, depth)
        return None

    def _function(self, factor: Expr, depth: int) -> Expr | None:
        if isinstance(factor, f.Sigmoid):
            return f.LogSigmoid(factor.args[0])
        if isinstance(factor, Abs):
            return self.of(factor.args[0], depth)
        if isinstance(factor, (sympy.sign, f.Sign)):
            return Integer(0)
        if isinstance(factor, f.Expm1) and factor.args[0].is_positive:
            return factor.args[0] + sympy.log(-f.Expm1(-factor.args[0]))
        return None

    def _symbol(self, factor: Expr, depth: int) -> Expr | None:
        """Return the logarithm by what a symbol is made of, where that is simpler."""
        if not isinstance(factor, Symbol) or depth > _DEEP:
            return None
        made_of = self._definition(factor)
        # log(scale) says more than log(softplus(raw) + 0.1)
        if isinstance(made_of, (Symbol, sympy.exp, f.Sigmoid, Mul, Pow, Abs)):
            return self.of(made_of, depth + 1)
        return None

    def _chosen(self, factor: Expr, depth: int) -> Expr | None:
        """Return the logarithm of a choice: by a condition, or by a mask of 0 and 1."""
        if isinstance(factor, f.Where):
            condition, then, otherwise = factor.args
            if then.is_zero or otherwise.is_zero:  # no map is flat where it is asked
                return self.of(then if otherwise.is_zero else otherwise, depth)
            return f.Where(condition, self.of(then, depth), self.of(otherwise, depth))
        masks = (
            factor.free_symbols & self._indicators if isinstance(factor, Add) else ()
        )
        for mask in sorted(masks, key=str):
            ones, zeros = (factor.subs(mask, value) for value in (1, 0))
            if ones == zeros:
                continue
            inside, outside = self.of(ones, depth), self.of(zeros, depth)
            return mask * inside + (1 - mask) * outside
        return None

    def _sum(self, factor: Expr, depth: int) -> Expr | None:
        if not isinstance(factor, Add):
            return None
        known = _known_sum(factor)
        if known is not None:
            return known
        if depth > _DEEP or factor in self._positive:
            return None
        if sympy.count_ops(factor) > _LARGE:
            return None
        if factor.has(f.Where):
            folded = _folded(factor)
            if folded != factor:
                return self.of(folded, depth + 1)
        joined = sympy.together(factor)
        if not isinstance(joined, (Mul, Pow)):
            joined = sympy.factor(factor)
        if isinstance(joined, (Mul, Pow)) and not _is_same(joined, factor):
            return self.of(joined, depth + 1)
        return None


def _log(factor: Expr) -> Expr:
    """Return the logarithm of what is positive; of 1 - u**2 by its two factors.

    The square rounds: beside 1 nothing is left of what the factors still tell.
    """
    if isinstance(factor, Add) and Integer(1) in factor.args:
        square = 1 - factor
        if isinstance(square, Pow) and square.exp == 2:
            return f.Log1p(square.base) + f.Log1p(-square.base)
    return sympy.log(factor)


def _is_same(joined: Expr, factor: Expr) -> bool:
    """Return whether only a number was taken out of a sum."""
    rest = [part for part in Mul.make_args(joined) if not part.is_number]
    return len(rest) == 1 and isinstance(rest[0], Add)


def _folded(factor: Expr) -> Expr:
    """Return a sum with choices as a choice of sums, by the first condition in it."""
    choices = sorted(factor.atoms(f.Where), key=sympy.count_ops)
    first = choices[-1]
    condition = first.args[0]
    then, otherwise = factor, factor
    for choice in choices:
        if choice.args[0] == condition:
            then = then.xreplace({choice: choice.args[1]})
            otherwise = otherwise.xreplace({choice: choice.args[2]})
    return f.Where(condition, then, otherwise)


def _known_sum(factor: Expr) -> Expr | None:
    """Return the stable logarithm of a sum that occurs often, or None."""
    terms = list(factor.args)
    if len(terms) == 2 and Integer(1) in terms:
        other = next(t for t in terms if t != 1)
        minus = -other
        if isinstance(other, sympy.exp):
            return f.Softplus(other.args[0])
        if isinstance(minus, f.Sigmoid):
            return f.LogSigmoid(-minus.args[0])
        squared = isinstance(minus, Pow) and minus.exp == 2
        if squared and isinstance(minus.base, sympy.tanh):
            u = minus.base.args[0]
            return 2 * (f.Ln(Integer(2)) - u - f.Softplus(-2 * u))
        if isinstance(other, Pow) and other.exp == 2:
            return f.Log1p(other)
    return None
