"""How the source writes what an operation of the tape was given."""

import ast
import builtins
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor

from ldjcheck.derivation.reading.execution import Moment
from ldjcheck.tape import Node

OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}  # fmt: skip
_KNOWN = ("math", "numpy", "builtins", "torch")
_PURE = ("len", "float", "int", "abs", "min", "max", "prod", "log", "sqrt", "exp")


def operands(node: ast.AST) -> Iterator[tuple[int | str, ast.expr]]:
    """Yield what an expression applies its operation to, by position or keyword.

    A method's owner is its first operand. Where a module may have been called by name, as
    in `torch.exp(x)`, the module counts for none.
    """
    if isinstance(node, ast.BinOp):
        yield from enumerate((node.left, node.right))
    elif isinstance(node, ast.AugAssign):
        yield from enumerate((node.target, node.value))
    elif isinstance(node, ast.UnaryOp):
        yield 0, node.operand
    elif isinstance(node, ast.Compare) and len(node.comparators) == 1:
        yield from enumerate((node.left, node.comparators[0]))
    elif isinstance(node, ast.Subscript):
        yield from enumerate((node.value, node.slice))
    elif isinstance(node, ast.Attribute):
        yield 0, node.value
    elif isinstance(node, ast.Call):
        yield from enumerate(node.args)
        for keyword in node.keywords:
            if keyword.arg is not None:
                yield keyword.arg, keyword.value


def owner_of(node: ast.AST) -> ast.expr | None:
    """Return what a method is called on."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.value
    return None


def value_of(node: ast.expr, moment: Moment, scope: Mapping[str, Any]) -> Any:
    """Return what an expression came to, where reading it changes nothing.

    Names, attributes, numbers, shapes, arithmetic, and functions of `math` and numpy are
    understood; a tensor of the tape is its node.

    Raises:
        LookupError: it cannot be told.
    """
    try:
        return _Evaluation(moment, scope).visit(node)
    except LookupError:
        raise
    except Exception as error:  # a user's property or number may raise anything
        raise LookupError(str(error)) from None


class _Evaluation(ast.NodeVisitor):
    """Reads expressions that only look things up, and count."""

    def __init__(self, moment: Moment, scope: Mapping[str, Any]) -> None:
        self._moment = moment
        self._scope = scope

    def generic_visit(self, node: ast.AST) -> Any:
        raise LookupError(type(node).__name__)

    def visit_Constant(self, node: ast.Constant) -> Any:  # ast's name
        return node.value

    def visit_Name(self, node: ast.Name) -> Any:  # ast's name
        for known in (self._moment.held, self._scope, vars(builtins)):
            if node.id in known:
                return known[node.id]
        raise LookupError(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> Any:  # ast's name
        owner = self.visit(node.value)
        owner = owner.value if isinstance(owner, Node) else owner
        hidden = isinstance(owner, Tensor) and node.attr not in ("shape", "ndim")
        if hidden or isinstance(getattr(type(owner), node.attr, None), property):
            raise LookupError(node.attr)
        return getattr(owner, node.attr)

    def visit_Subscript(self, node: ast.Subscript) -> Any:  # ast's name
        owner = self.visit(node.value)
        if isinstance(owner, (Node, Tensor)):
            raise LookupError("an index of a tensor")
        return owner[self.visit(node.slice)]

    def visit_Slice(self, node: ast.Slice) -> Any:  # ast's name
        parts = (node.lower, node.upper, node.step)
        return slice(*(None if p is None else self.visit(p) for p in parts))

    def visit_Tuple(self, node: ast.Tuple) -> Any:  # ast's name
        return tuple(self.visit(item) for item in node.elts)

    def visit_BinOp(self, node: ast.BinOp) -> Any:  # ast's name
        left, right = self.visit(node.left), self.visit(node.right)
        if not all(isinstance(side, (int, float)) for side in (left, right)):
            raise LookupError("no number")
        return OPERATORS[type(node.op)](left, right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:  # ast's name
        value = self.visit(node.operand)
        if isinstance(node.op, ast.USub) and isinstance(value, (int, float)):
            return -value
        raise LookupError("no number")

    def visit_Call(self, node: ast.Call) -> Any:  # ast's name
        function = self.visit(node.func)
        name = getattr(function, "__name__", "")
        home = getattr(function, "__module__", None) or ""
        if name not in _PURE or home.split(".")[0] not in _KNOWN or node.keywords:
            raise LookupError(name)
        given = [self.visit(argument) for argument in node.args]
        if any(isinstance(each, (Node, Tensor)) for each in given):
            raise LookupError("a function of a tensor")
        return function(*given)


def is_close(a: Any, b: Any) -> bool:
    """Return whether two things are one number."""
    numbers = all(isinstance(v, (int, float)) for v in (a, b))
    return numbers and math.isclose(float(a), float(b), rel_tol=1e-12, abs_tol=0.0)
