"""Edits of one statement of a way back that may make it undo its step.

The operation that undoes the other one, the same operations the other way round, a minus
that is missing or too many: what people get wrong when they solve y = f(x) for x.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

from ldjcheck.revision import Replacement, SourceText
from ldjcheck.revision.text import span_of
from ldjcheck.torch_ops import UNDOES

_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip
_SUMS = (ast.Add, ast.Sub)
_PRODUCTS = (ast.Mult, ast.Div)


def turned_back(source: SourceText, statement: ast.stmt) -> Iterator[Replacement]:
    """Yield edits of a statement, the plainest first."""
    nodes = [node for node in ast.walk(statement) if isinstance(node, ast.expr)]
    for make in (_reordered, _other_operator, _other_sign, _other_function):
        for node in nodes:
            new = make(node)
            if new is not None:
                yield source.put(node, _written(source, node, new))


def _written(source: SourceText, node: ast.expr, new: ast.expr) -> str:
    text = ast.unparse(ast.fix_missing_locations(new))
    outer = source.parents[node]
    is_inside = isinstance(outer, (ast.BinOp, ast.UnaryOp, ast.Attribute))
    is_inside = is_inside and not _is_bracketed(source, node)
    return f"({text})" if is_inside and isinstance(new, ast.BinOp) else text


def _is_bracketed(source: SourceText, node: ast.expr) -> bool:
    line, column, end_line, end = span_of(node)
    before, after = source.lines[line - 1][:column], source.lines[end_line - 1][end:]
    return before.rstrip().endswith(b"(") and after.lstrip().startswith(b")")


def _reordered(node: ast.expr) -> ast.expr | None:
    """Return (y - t) / s of y / s - t, and the other way round."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.left, ast.BinOp):
        return None
    inner = node.left
    kinds = (_SUMS, _PRODUCTS)
    crossed = any(
        isinstance(node.op, first) and isinstance(inner.op, last)
        for first, last in (kinds, kinds[::-1])
    )
    if not crossed:
        return None
    first = ast.BinOp(inner.left, node.op, node.right)
    return ast.BinOp(first, inner.op, inner.right)


def _other_operator(node: ast.expr) -> ast.expr | None:
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATORS:
        return None
    return ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)


def _other_sign(node: ast.expr) -> ast.expr | None:
    """Return a call with its argument's sign turned: exp(-s) of exp(s)."""
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        return None
    given = node.args[0]
    is_minus = isinstance(given, ast.UnaryOp) and isinstance(given.op, ast.USub)
    new = copy.copy(node)
    new.args = [given.operand if is_minus else ast.UnaryOp(ast.USub(), given)]  # type: ignore[attr-defined]  # it is one
    return new


def _other_function(node: ast.expr) -> ast.expr | None:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    other = UNDOES.get(node.func.attr)
    if other is None:
        return None
    new = copy.copy(node)
    new.func = ast.Attribute(node.func.value, other, ast.Load())
    return new
