"""How a piece of source is written down: brackets where they are needed, and no others."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ldjcheck.revision import Replacement
from ldjcheck.revision.text import span_of

if TYPE_CHECKING:
    from ldjcheck.mistakes.rewriting.sites import Site

_SUM = (ast.Add, ast.Sub)
_LOOSE = (ast.IfExp, ast.Lambda, ast.BoolOp, ast.Compare, ast.NamedExpr, ast.Tuple)


def is_sum(node: ast.AST) -> bool:
    """Return whether a node is a sum or a difference."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, _SUM)


def is_product(node: ast.AST) -> bool:
    """Return whether a node is a product or a quotient."""
    return isinstance(node, ast.BinOp) and isinstance(
        node.op, ast.Mult | ast.Div | ast.MatMult | ast.FloorDiv | ast.Mod
    )


def is_bracketed(site: Site, node: ast.expr) -> bool:
    """Return whether the source has brackets of its own around an expression."""
    lines = site.source.lines
    line, column = node.lineno - 1, node.col_offset
    before = b"".join(lines[max(0, line - 3) : line]) + lines[line][:column]
    end_line, end = (node.end_lineno or 1) - 1, node.end_col_offset or 0
    after = lines[end_line][end:] + b"".join(lines[end_line + 1 : end_line + 4])
    if not (before.rstrip().endswith(b"(") and after.lstrip().startswith(b")")):
        return False
    parent = site.parent(node)
    alone = isinstance(parent, ast.Call) and [
        *parent.args, *(k.value for k in parent.keywords),
    ] == [node]  # fmt: skip
    return not alone


def _without_brackets(site: Site, node: ast.expr) -> tuple[int, int, int, int]:
    """Return the span of an expression, with brackets that stand around it on its line."""
    line, column, end_line, end = span_of(node)
    row = site.source.lines[line - 1]
    before, after = row[:column].rstrip(), row[end:]
    if line != end_line or not is_bracketed(site, node) or not before.endswith(b"("):
        return line, column, end_line, end
    gap = len(after) - len(after.lstrip())
    return line, len(before) - 1, end_line, end + gap + 1


def as_factor(site: Site, node: ast.expr) -> str:
    """Return a node's source, fit to stand in a product, or behind a minus."""
    text = site.text(node)
    return f"({text})" if is_sum(node) or isinstance(node, _LOOSE) else text


def as_atom(site: Site, node: ast.expr) -> str:
    """Return a node's source, fit to have `.method()` written after it."""
    text = site.text(node)
    tight = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    return text if tight else f"({text})"


def product_in_place(site: Site, node: ast.expr, text: str) -> str:
    """Return a product's text, bracketed as the place of `node` demands."""
    if is_bracketed(site, node):
        return text
    parent = site.parent(node)
    tighter = (
        (isinstance(parent, ast.Attribute | ast.Subscript) and parent.value is node)
        or (isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Pow))
        or (
            isinstance(parent, ast.BinOp)
            and is_product(parent)
            and parent.right is node
        )
    )
    return f"({text})" if tighter else text


def kept_in_place(site: Site, node: ast.expr, kept: ast.expr) -> str:
    """Return a part's source, bracketed so that it can stand where the whole stood."""
    text = site.text(kept)
    if is_bracketed(site, node):
        return text
    parent = site.parent(node)
    if isinstance(parent, ast.BinOp):
        looser = is_sum(kept) and (
            is_product(parent)
            or isinstance(parent.op, ast.Pow)
            or (isinstance(parent.op, ast.Sub) and parent.right is node)
        )
        if looser or isinstance(kept, _LOOSE):
            return f"({text})"
    if isinstance(parent, ast.UnaryOp) and (is_sum(kept) or isinstance(kept, _LOOSE)):
        return f"({text})"
    called = isinstance(parent, ast.Attribute | ast.Subscript) and parent.value is node
    return as_atom(site, kept) if called else text


def alone(site: Site, node: ast.expr, part: ast.expr) -> Replacement:
    """Return what puts a part in the place of the whole; alone it may need no brackets.

    A statement that would give a name to what bears it already is taken out.
    """
    if _renames_nothing(site.statement, node, part):
        return without_statement(site, site.statement)
    text = kept_in_place(site, node, part)
    tight = isinstance(part, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    span = _without_brackets(site, node) if tight else span_of(node)
    return Replacement(site.source.file, *span, text)


def _renames_nothing(statement: ast.stmt, node: ast.expr, part: ast.expr) -> bool:
    """Return whether `name = name` would be left with a part in the place of the whole."""
    return (
        isinstance(statement, ast.Assign)
        and statement.value is node
        and isinstance(part, ast.Name)
        and [ast.unparse(target) for target in statement.targets] == [part.id]
    )


def without_statement(site: Site, statement: ast.stmt) -> Replacement:
    """Return the replacement that takes a statement out, its line with it."""
    source = site.source
    line, end_line = statement.lineno, statement.end_lineno or statement.lineno
    row, last = source.lines[line - 1], source.lines[end_line - 1]
    before = row[: statement.col_offset]
    after = last[statement.end_col_offset or 0 :]
    if len(source.block(statement)) == 1:
        return source.put(statement, "pass")
    if not before.strip() and not after.split(b"#")[0].strip():
        # The whole line goes, its end included, so that no empty one is left.
        return Replacement(source.file, line, 0, end_line, len(last), "")
    if after.lstrip().startswith(b";"):
        gap = len(after) - len(after.lstrip()) + 1
        rest = after[gap:]
        gap += len(rest) - len(rest.lstrip(b" \t"))
        end = (statement.end_col_offset or 0) + gap
        return Replacement(source.file, line, statement.col_offset, end_line, end, "")
    kept = before.rstrip().rstrip(b";").rstrip()
    return Replacement(
        source.file, line, len(kept), end_line, statement.end_col_offset or 0, ""
    )


def argument_of(site: Site, node: ast.Call) -> ast.expr | None:
    """Return what a function or a method is applied to."""
    if isinstance(node.func, ast.Attribute) and not is_module(site, node.func.value):
        return node.func.value
    return node.args[0] if node.args else None


def is_module(site: Site, node: ast.expr) -> bool:
    """Return whether an expression names a module, such as `torch` or `torch.linalg`."""
    inner = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    if not isinstance(inner, ast.Name):
        return False
    imported = {
        alias.asname or alias.name.split(".")[0]
        for each in ast.walk(site.source.tree)
        if isinstance(each, (ast.Import, ast.ImportFrom))
        for alias in each.names
    }
    return inner.id in imported and inner.id not in site.names
