"""From SymPy to the source that a user of torch would write."""

import ast
from collections.abc import Mapping
from fractions import Fraction

import sympy
from sympy import Abs, Add, Expr, Mul, Pow, Symbol

from ldjcheck.derivation.calculus import functions as f
from ldjcheck.torch_ops import Op, operation

_SUM, PRODUCT, _SIGN, _POWER, ATOM = 1, 2, 3, 4, 5
_BEHIND = {
    f.Dims: "[0].numel()", f.Flattened: ".flatten(1)", f.Turned: ".t()",
    f.Total: ".sum()",
}  # fmt: skip


class Printer:
    """Writes expressions in given names.

    Args:
        texts: how each symbol is written, as an operand of anything.
        numbers: the symbols that are plain numbers, for which `math` serves.
        modules: what the file calls torch, its `functional`, and `math` or numpy.
        varying: the symbols that have a batch axis.
    """

    def __init__(
        self,
        texts: Mapping[Symbol, str],
        numbers: frozenset[Symbol],
        modules: Mapping[str, str],
        varying: frozenset[Symbol] = frozenset(),
    ) -> None:
        self._varying = varying
        self._texts = texts
        self._numbers = numbers
        self._modules = modules

    def text(self, expression: Expr, above: int = 0) -> str:
        """Return an expression as source; in brackets where what is above binds closer."""
        text, level = self._written(expression)
        return f"({text})" if level < above else text

    def is_number(self, expression: Expr) -> bool:
        """Return whether an expression is a plain number, and no tensor."""
        if expression.has(f.Dims):
            expression = expression.replace(f.Dims, lambda *_: sympy.Integer(2))
        return bool(expression.free_symbols <= self._numbers)

    def _written(self, e: Expr) -> tuple[str, int]:
        if isinstance(e, Symbol):
            text = self._texts[e]
            return text, ATOM if _is_atom(text) else 0
        if e.is_Rational or e.is_Float:
            text = _number(e)
            return text, _SUM if text.startswith("-") else ATOM
        if isinstance(e, Add):
            return self._sum(e), _SUM
        if isinstance(e, Mul):
            return self._product(e)
        if isinstance(e, Pow):
            return self._power(e)
        if e.func in f.NAMES:
            return self._call(e, operation(f.NAMES[e.func])), ATOM
        if isinstance(e, f.EventSum):
            return self._event_sum(e), ATOM
        if isinstance(e, f.HiddenDeterminant):
            return self._hidden(e), ATOM
        if e.func in _BEHIND:
            return self.text(e.args[0], ATOM) + _BEHIND[e.func], ATOM
        if isinstance(e, f.Product):
            return " @ ".join(self.text(each, _POWER) for each in e.args), PRODUCT
        if isinstance(e, f.LogAbsDet):
            inner = self.text(e.args[0])
            return f"{self._modules['torch']}.linalg.slogdet({inner})[1]", ATOM
        if isinstance(e, f.LogDiagonal):
            torch = self._modules["torch"]
            diagonal = f"{torch}.diagonal({self.text(e.args[0])})"
            return f"{torch}.log({torch}.abs({diagonal})).sum()", ATOM
        if isinstance(e, f.Where):
            return self._where(e), ATOM
        if isinstance(e, f.Above):
            return f"{self.text(e.args[0], _POWER)} > 0", 0
        if e.is_number:
            text = repr(_float(e))
            return text, _SUM if text.startswith("-") else ATOM
        raise ValueError(f"no source for {e.func.__name__}")

    def _call(self, e: Expr, op: Op) -> str:
        name, torch = op.names.split()[0], self._modules["torch"]
        if op.home == "functional":
            return f"{self._modules['functional']}.{name}({self._tensor(e.args[0])})"
        if op.home == "special":
            return f"{torch}.special.{name}({self.text(e.args[0])})"
        inner = self._absolute(e.args[0]) if isinstance(e, Abs) else e.args[0]
        if not self.is_number(inner):
            return f"{torch}.{name}({self.text(inner)})"
        if isinstance(e, Abs):
            return f"abs({self.text(inner)})"
        if op.in_math and "math" in self._modules:
            return f"{self._modules['math']}.{name}({self.text(inner)})"
        if inner.is_number and not isinstance(inner, Symbol):
            return repr(_float(e))
        return f"{torch}.{name}({self._tensor(inner)})"

    def _tensor(self, e: Expr) -> str:
        """Return the text of what a function of tensors takes."""
        if self.is_number(e):
            return f"{self._modules['torch']}.as_tensor({self.text(e)})"
        return self.text(e)

    def _event_sum(self, e: Expr) -> str:
        inner, rank, keep, is_mean = e.args
        text = self.text(inner, ATOM)
        word = "mean" if is_mean else "sum"
        if not self.varies(inner):
            return f"{text}.{word}()"
        if rank == 2:
            return f"{text}.{word}(dim=1{', keepdim=True' if keep else ''})"
        return f"{text}.flatten(1).{word}(dim=1)"

    def _hidden(self, e: Expr) -> str:
        slopes, first, second = e.args
        torch = self._modules["torch"]
        product = self.text(first, PRODUCT)
        rows = self.text(first, ATOM)
        if second != 0:
            product = f"({product} @ {self.text(second, _POWER)})"
        slope = f"{self.text(slopes, PRODUCT)} * " if slopes != 1 else ""
        if not self.is_number(slopes):
            slope = f"{self.text(slopes, ATOM)}.unsqueeze(-1) * "
        eye = f"{torch}.eye({rows}.shape[0])"
        return f"{torch}.linalg.slogdet({eye} + {slope}{product})[1]"

    def varies(self, e: Expr) -> bool:
        """Return whether an expression has a batch axis."""
        return any(symbol in self._varying for symbol in e.free_symbols)

    def _where(self, e: Expr) -> str:
        condition, then, otherwise = map(self.text, e.args)
        return f"{self._modules['torch']}.where({condition}, {then}, {otherwise})"

    def _sum(self, e: Expr) -> str:
        terms = sorted(e.args, key=self._rank)
        text = self.text(_turned(terms[0]), _SUM)
        for term in map(_turned, terms[1:]):
            if _is_negative(term):
                text += f" - {self.text(-term, PRODUCT)}"
            else:
                text += f" + {self.text(term, _SUM)}"
        return text

    def _absolute(self, inner: Expr) -> Expr:
        """Return what is in an absolute value, or its negative, whichever reads better."""
        if not isinstance(inner, Add):
            return inner
        return min((inner, Add(*(-term for term in inner.args))), key=_minuses)

    def _rank(self, term: Expr) -> tuple[bool, int, int, str]:
        """Return where a term of a sum stands: those with a minus behind."""
        first = min(map(_age, term.free_symbols), default=-1)
        return _is_negative(term), first, sympy.count_ops(term), str(term)

    def _product(self, e: Expr) -> tuple[str, int]:
        if _is_negative(e):
            return f"-{self.text(-e, PRODUCT)}", _SIGN
        above, below = [], []
        for factor in e.as_ordered_factors():
            power = factor.exp if isinstance(factor, Pow) else None
            if power is not None and power.is_number and power.is_negative:
                below.append(1 / factor)
            elif factor.is_Rational and factor.q != 1 and not _is_decimal(factor):
                above += [sympy.Integer(factor.p)] if factor.p != 1 else []
                below.append(sympy.Integer(factor.q))
            else:
                above.append(factor)
        above.sort(
            key=lambda x: (not x.is_number, min(map(_age, x.free_symbols), default=0))
        )
        top = " * ".join(self.text(x, PRODUCT) for x in above) or "1"
        if not below:
            return top, PRODUCT
        bottom = below[0] if len(below) == 1 else Mul(*below)
        return f"{top} / {self.text(bottom, _POWER)}", PRODUCT

    def _power(self, e: Expr) -> tuple[str, int]:
        base, exponent = e.args
        if exponent == sympy.Rational(1, 2) and not self.is_number(base):
            return f"{self._modules['torch']}.sqrt({self.text(base)})", ATOM
        if exponent.is_number and exponent.is_negative:
            return f"1 / {self.text(1 / e, _POWER)}", PRODUCT
        left = self.text(base, ATOM)
        return f"{left} ** {self.text(exponent, _POWER)}", _POWER


def _is_negative(e: Expr) -> bool:
    return bool(e.could_extract_minus_sign()) and (
        e.is_number or (isinstance(e, Mul) and e.as_coeff_Mul()[0].is_negative is True)
    )


def _minuses(e: Expr) -> int:
    return sum(_is_negative(_turned(term)) for term in Add.make_args(e))


def _turned(term: Expr) -> Expr:
    """Return a product with its minus inside of a factor that reads better so: 1 - a."""
    if not isinstance(term, Mul) or not _is_negative(term):
        return term
    for factor in term.args:
        if isinstance(factor, Add) and any(
            part.is_number and part.is_negative for part in factor.args
        ):
            rest = Mul(*(each for each in term.args if each is not factor))
            return Mul(-rest, Add(*(-part for part in factor.args)), evaluate=False)
    return term


def _age(symbol: Symbol) -> int:
    """Return how early a symbol was met: their names are counted."""
    digits = str(symbol).lstrip("v")
    return int(digits) if digits.isdigit() else 0


def _number(e: Expr) -> str:
    if e.is_Integer:
        return str(int(e))
    if not e.is_Rational:
        return repr(float(e))
    if _is_decimal(e, 8):
        return repr(float(e))
    return f"({int(e.p)} / {int(e.q)})"


def _float(e: Expr) -> float:
    return float(e.replace(f.Ln, sympy.log))


def _is_decimal(e: Expr, most: int = 7) -> bool:
    """Return whether a fraction is a short decimal number: 1 / 2 is, 1 / 3 is not."""
    fraction = Fraction(int(e.p), int(e.q))
    text = repr(float(fraction))
    return Fraction(text) == fraction and len(text) < most


def _is_atom(text: str) -> bool:
    """Return whether a text needs no brackets, whatever stands beside it."""
    node = ast.parse(text, mode="eval").body
    closed = ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Constant
    return isinstance(node, closed)
