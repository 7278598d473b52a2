"""Edits of a whole statement that makes, adds or keeps a part of the ldj."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .chain import Place, lines_of
from .edits import Edit, drop_statement, replace, swap_accumulation
from .sites import Found, targets_of
from .slices import call_name, is_zero

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .slices import Mark, Slice
    from .source import Function

COUNTS = {"prod", "numel", "size", "len", "logical_and", "logical_or"}


def at_root(found: Slice, mark: Mark) -> Iterator[Found]:
    """Yield edits of a statement that makes, adds or keeps a part of the ldj."""
    file, statement, node = mark.function.file, mark.statement, mark.node
    if isinstance(statement, ast.AugAssign) and _scales_by(statement):
        lost: dict[str, object] = {"dropped": (node,)}
        yield "drop-factor", (drop_statement(statement),), node, lost
    elif isinstance(statement, ast.AugAssign):
        swapped = swap_accumulation(file, statement)
        if swapped is not None:
            yield "flip-sign", (swapped,), node, {}
        lost = {"statement_lost": True}
        yield "drop-term", (drop_statement(statement),), node, lost
        short = len(file.text(node)) < 40 and node.lineno == node.end_lineno
        after = f" + ({file.text(node)})" if short else " * 2"
        yield "twice", (replace(file, node, "", node, after),), node, {}
        yield from _moved(found, mark, statement)
    elif isinstance(statement, ast.Assign) and writes_part(statement):
        lost = {"statement_lost": True}
        yield "drop-term", (drop_statement(statement),), node, lost
    if isinstance(statement, ast.Assign | ast.Return) and _is_written_out(node):
        yield "flip-sign", (replace(file, node, "-", node),), node, {}
        yield "twice", (replace(file, node, "2 * ", node),), node, {}


def _is_written_out(node: ast.expr) -> bool:
    """Return whether an expression makes a term, rather than hand one on or count."""
    if isinstance(node, ast.Name | ast.UnaryOp) or is_zero(node):
        return False
    if isinstance(node, ast.BinOp):
        return not isinstance(node.op, ast.Add | ast.Sub)
    return not (isinstance(node, ast.Call) and call_name(node) in COUNTS)


def _moved(found: Slice, mark: Mark, statement: ast.AugAssign) -> Iterator[Found]:
    """Yield the edit that does an ldj statement after the map's next step.

    `ldj += f(z)` above `z = g(z)`: the first line is emptied, the second does both.
    """
    file = mark.function.file
    after = _sibling(file.parents[statement], statement, +1)
    if not isinstance(after, ast.Assign) or _is_ldj(found, after):
        return
    if statement.lineno != statement.end_lineno or after.lineno != after.end_lineno:
        return
    made = {t.id for t in after.targets if isinstance(t, ast.Name)}
    used = {n.id for n in ast.walk(statement.value) if isinstance(n, ast.Name)}
    if not made & used:
        return
    text = file.text(statement)
    end = after.end_col_offset or 0
    both = Edit(after.lineno, end, after.lineno, end, f"; {text}")
    yield (
        "evaluate-elsewhere",
        (drop_statement(statement), both),
        mark.node,
        {"statement_lost": True},
    )


def _scales_by(statement: ast.AugAssign) -> bool:
    return isinstance(statement.op, ast.Mult | ast.Div)


def writes_part(statement: ast.stmt) -> bool:
    return any(
        isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store)
        for target in targets_of(statement)
        for part in ast.walk(target)
    )


def _is_ldj(found: Slice, statement: ast.stmt) -> bool:
    return any(mark.statement is statement for mark in found.marks.values())


def _sibling(parent: ast.AST, statement: ast.stmt, step: int) -> ast.stmt | None:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, [])
        if isinstance(block, list) and statement in block:
            place = block.index(statement) + step
            return block[place] if 0 <= place < len(block) else None
    return None


def map_steps_beside(
    found: Slice, function: Function, statement: ast.stmt
) -> set[Place]:
    """Return the lines of the map's steps just above and just below a statement.

    When the whole statement is lost, a missing term can only be shown at its step.
    """
    lines: set[Place] = set()
    for step in (-1, +1):
        beside = _sibling(function.file.parents[statement], statement, step)
        if beside is None or not isinstance(beside, ast.Assign):
            continue
        both = any(isinstance(target, ast.Tuple) for target in beside.targets)
        if both or not _is_ldj(found, beside):
            lines |= lines_of(function, beside)
    return lines
