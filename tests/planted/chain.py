"""The same-terms chain: statements through which only an edit's terms pass.

From the edited term forward, to the statement that adds it to others or to a running
total; and back, while the term is one name or one call that is made in one place. A
static approximation: loops count once, branches that did not run do not count.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .slices import JOINS, call_name, is_zero

if TYPE_CHECKING:
    from .slices import Slice
    from .source import Function

Place = tuple[str, int]


def lines_of(function: Function, statement: ast.stmt) -> set[Place]:
    """Return every line of a simple statement as (file, line)."""
    last = statement.end_lineno or statement.lineno
    if isinstance(statement, ast.For):
        last = statement.iter.end_lineno or statement.lineno
    return {(function.file.path, n) for n in range(statement.lineno, last + 1)}


def same_terms_chain(
    found: Slice, function: Function, statement: ast.stmt, node: ast.expr
) -> set[Place]:
    """Return the lines of the chain that the term `node` of `statement` runs along."""
    places = lines_of(function, statement)
    _forward(found, function, statement, node, places, set())
    _back(found, node, places, set())
    return places


def _forward(
    found: Slice,
    function: Function,
    statement: ast.stmt,
    node: ast.expr,
    places: set[Place],
    seen: set[ast.AST],
) -> None:
    places |= lines_of(function, statement)
    if statement in seen:
        return
    seen.add(statement)
    if _joined(found, function, statement, node) or _accumulates(statement):
        return
    for use in found.uses.get(statement, []):
        makers = [m for _, m in found.sources.get(use.node, []) if not _starts_empty(m)]
        if any(_accumulates(m) for m in makers):
            continue
        _forward(found, use.function, use.statement, use.node, places, seen)


def _back(found: Slice, node: ast.expr, places: set[Place], seen: set[ast.AST]) -> None:
    if node in seen:
        return
    seen.add(node)
    for part in ast.walk(node):
        is_sum = isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add | ast.Sub)
        if is_sum and part in found.marks:
            return
    for part in ast.walk(node):
        if part not in found.marks or part not in found.sources:
            continue
        makers = [
            (function, maker)
            for function, maker in found.sources[part]  # type: ignore[index]
            if not _starts_empty(maker)
        ]
        if len(makers) != 1:
            continue
        function, maker = makers[0]
        if _accumulates(maker) or isinstance(maker, ast.For):
            continue
        if len(found.uses.get(maker, [])) > 1 and not isinstance(maker, ast.Return):
            continue
        places |= lines_of(function, maker)
        value = getattr(maker, "value", None)
        if isinstance(value, ast.expr):
            _back(found, value, places, seen)


def _joined(
    found: Slice, function: Function, statement: ast.stmt, node: ast.expr
) -> bool:
    """Return whether other terms are added to `node` inside its own statement."""
    parents = function.file.parents
    child: ast.AST = node
    while child is not statement and child in parents:
        parent = parents[child]
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Add | ast.Sub):
            other = parent.right if child is parent.left else parent.left
            if parent in found.marks and not is_zero(other):
                return True
        if isinstance(parent, ast.List | ast.Tuple) and parent in found.marks:
            return len(parent.elts) > 1
        if isinstance(parent, ast.Call) and call_name(parent) in JOINS - {
            "sum",
            "full_like",
        }:
            return True
        child = parent
    return False


def _accumulates(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.AugAssign | ast.Expr):
        return True
    return isinstance(statement, ast.Assign) and any(
        isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store)
        for target in statement.targets
        for part in ast.walk(target)
    )


def _starts_empty(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(statement, ast.Assign) and value is not None and is_zero(value)
