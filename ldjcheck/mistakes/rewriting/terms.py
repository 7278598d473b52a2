"""Edits that take a term away, or put one number in the place of another."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ldjcheck.mistakes.rewriting.sites import Change, Site
from ldjcheck.mistakes.rewriting.wording import (
    alone,
    as_factor,
    is_sum,
    without_statement,
)
from ldjcheck.revision import Replacement, call_name

_ZEROS = ("zeros", "new_zeros", "zeros_like")


def taken_away(site: Site) -> Iterator[Change]:
    """Yield every sum without one of its parts, and the code without the statement."""
    statement = site.statement
    if isinstance(statement, ast.AugAssign | ast.Assign | ast.Expr):
        yield Change(0.1, (without_statement(site, statement),))
    yield from shorter_sums(site)


def shorter_sums(site: Site) -> Iterator[Change]:
    """Yield every sum without one of its parts."""
    for node in site.expressions:
        if not isinstance(node, ast.BinOp) or not is_sum(node):
            continue
        if _is_running_total(site, node):
            assert isinstance(site.statement, ast.stmt)
            yield Change(0.04, (without_statement(site, site.statement),))
            continue
        yield Change(0.05, (alone(site, node, node.left),))
        if isinstance(node.op, ast.Add):
            yield Change(0.06, (alone(site, node, node.right),))
        else:
            yield site.put(node, f"-{as_factor(site, node.right)}", 0.06)


def _is_running_total(site: Site, node: ast.BinOp) -> bool:
    """Return whether a statement adds one term to a name: without it, nothing is left."""
    statement = site.statement
    return (
        isinstance(statement, ast.Assign)
        and statement.value is node
        and ast.unparse(node.left) in [ast.unparse(t) for t in statement.targets]
    )


def zero_for_one(site: Site) -> Iterator[Change]:
    """Yield edits that start from zero instead of one."""
    for node in site.expressions:
        if isinstance(node, ast.Call) and call_name(node).startswith(
            ("ones", "new_ones")
        ):
            text = site.text(node.func)
            name = call_name(node)
            new = text[: -len(name)] + name.replace("ones", "zeros")
            yield site.put(node.func, new, 0.0)
        elif isinstance(node, ast.Constant) and site.text(node) in ("1", "1.0"):
            yield site.put(node, site.text(node).replace("1", "0"), 0.1)
    yield from shorter_sums(site)


def added_to_total(site: Site) -> Iterator[Change]:
    """Yield edits that add to the total where it is overwritten."""
    statement, source = site.statement, site.source
    parameters = [
        node.arg
        for node in site.inside
        if isinstance(node, ast.arg) and node.arg not in ("self", "cls")
    ]
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            if target.id in parameters and call_name(statement.value) in _ZEROS:
                yield Change(0.0, (without_statement(site, statement),))
                yield Change(0.005, (_where_none(site, statement, target.id),))
            swapped = site.swap(target, statement.value, "=", "+=")
            text = _plus(site, target.id, statement.value)
            yield Change(0.01, (source.put(statement.value, text),))
            if swapped is not None:
                yield Change(0.1, (swapped,))
        elif isinstance(target, ast.Tuple):
            yield from _kept_apart(site, target)
    for node in site.terms:
        for index, name in enumerate(parameters[1:4]):
            if site.text(node) != name:
                yield site.put(node, _plus(site, name, node), 0.2 + index / 20)


def _where_none(site: Site, statement: ast.Assign, total: str) -> Replacement:
    """Return the replacement that starts a total at zero where none was passed."""
    row = site.source.lines[statement.lineno - 1]
    indent = row[: statement.col_offset].decode()
    inside = f"{indent}    {site.text(statement)}"
    return site.source.put(statement, f"if {total} is None:\n{inside}")


def _kept_apart(site: Site, target: ast.Tuple) -> Iterator[Change]:
    """Yield what gives a call's ldj a name of its own, and adds it to the total."""
    before = {
        node.id
        for node in site.inside
        if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Store)
        and node.lineno < target.lineno
    }
    for element in target.elts[1:]:
        if not isinstance(element, ast.Name) or element.id not in before:
            continue
        name = f"step_{element.id}"
        if name in site.names:
            continue
        apart = site.source.put(element, name)
        for place in site.beside(f"{element.id} = {element.id} + {name}")[:1]:
            yield Change(0.02, (apart, place))


def _plus(site: Site, total: str, node: ast.expr) -> str:
    """Return a total with a term added to it, or taken off where the term has a minus."""
    text = as_factor(site, node)
    if text.startswith("-"):
        return f"{total} - {text[1:].lstrip()}"
    return f"{total} + {text}"
