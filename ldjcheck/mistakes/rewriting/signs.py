"""Edits that turn a sign: an operator swapped, a minus taken away or written."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ldjcheck.mistakes.rewriting.sites import Change, Site, alone, as_factor, is_sum
from ldjcheck.revision import Replacement


def turned(site: Site) -> Iterator[Change]:
    """Yield every edit that turns one sign of a statement."""
    yield from _of_all_terms(site)
    yield from operators(site)
    yield from _one_way(site)
    for node in site.expressions:
        if (
            isinstance(node, ast.UnaryOp)
            and isinstance(node.op, ast.USub)
            and not isinstance(node.operand, ast.Constant)
        ):
            yield Change(0.1, (alone(site, node, node.operand),))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
            yield site.put(node, f"-{as_factor(site, node.operand)}", 0.05)
    for node in site.terms:
        parent = site.parent(node)
        inside_sum = is_sum(parent) and not (
            isinstance(parent, ast.BinOp) and parent.left is node
        )
        if inside_sum or isinstance(node, ast.UnaryOp):
            continue  # there the operator is what turns the sign
        whole = isinstance(parent, ast.stmt | ast.Tuple)
        if isinstance(parent, ast.Assign) and added_to(parent) is not None:
            continue  # the total of all rounds before would turn as well
        text = f"-{as_factor(site, node)}"
        product = isinstance(parent, ast.BinOp) and parent.right is node
        yield site.put(node, f"({text})" if product else text, 0.2 if whole else 0.5)


def _one_way(site: Site) -> Iterator[Change]:
    """Yield edits that turn a sign in one direction, where both share a statement."""
    asked = [
        name
        for node in site.inside
        if isinstance(node, ast.If | ast.IfExp)
        and (name := _asked_in(node.test)) in site.names
    ]
    for node in site.terms:
        parent = site.parent(node)
        added = (
            isinstance(parent, ast.BinOp)
            and isinstance(parent.op, ast.Add)
            and parent.right is node
        )
        whole = isinstance(parent, ast.stmt | ast.Tuple)
        if not (whole or added) or isinstance(node, ast.UnaryOp):
            continue
        plain, other = site.text(node), f"-{as_factor(site, node)}"
        for name in dict.fromkeys(asked):
            for cost, text in (
                (0.21, f"{other} if {name} else {plain}"),
                (0.22, f"{plain} if {name} else {other}"),
            ):
                yield site.put(node, text if whole else f"({text})", cost)


def _asked_in(test: ast.expr) -> str:
    """Return the name that a condition asks about, or nothing."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    return test.id if isinstance(test, ast.Name) else ""


def _of_all_terms(site: Site) -> Iterator[Change]:
    """Yield the edits that turn all terms which a block adds to one total."""
    statement = site.statement
    around: ast.AST = statement
    while around is not site.function:
        assert isinstance(around, ast.stmt)
        block = site.source.block(around)
        total = added_to(statement)
        inside = [node for each in block for node in ast.walk(each)]
        adding = [n for n in inside if total and added_to(n) == total]
        swaps = [_other_operator(site, node) for node in adding]
        found = [swap for swap in swaps if swap is not None]
        if len(found) > 1 and len(found) == len(swaps):
            yield Change(2.0 * (len(found) - 1), tuple(found))
        around = site.parent(around)


def added_to(node: ast.AST) -> str | None:
    """Return the total that a statement adds a term to, or takes it off; None if to none."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        return ast.unparse(node.target)
    if isinstance(node, ast.Assign) and is_sum(node.value):
        assert isinstance(node.value, ast.BinOp)
        total = ast.unparse(node.value.left)
        return total if total in map(ast.unparse, node.targets) else None
    return None


def _other_operator(site: Site, node: ast.AST) -> Replacement | None:
    """Return what makes a plus of the minus by which a statement adds, or a minus of it."""
    if isinstance(node, ast.AugAssign):
        old, new = ("+", "-") if isinstance(node.op, ast.Add) else ("-", "+")
        return site.swap(node.target, node.value, old, new)
    assert isinstance(node, ast.Assign)
    total = node.value
    assert isinstance(total, ast.BinOp)
    old, new = ("+", "-") if isinstance(total.op, ast.Add) else ("-", "+")
    return site.swap(total.left, total.right, old, new)


def operators(site: Site) -> Iterator[Change]:
    """Yield every swap of a plus and a minus."""
    statement, source = site.statement, site.source
    if isinstance(statement, ast.AugAssign):
        for kind, old, new in ((ast.Add, "+", "-"), (ast.Sub, "-", "+")):
            if isinstance(statement.op, kind):
                swapped = site.swap(statement.target, statement.value, old, new)
                if swapped is not None:
                    yield Change(0.0, (swapped,))
    for node in site.expressions:
        if not isinstance(node, ast.BinOp) or not is_sum(node):
            continue
        old, new = ("+", "-") if isinstance(node.op, ast.Add) else ("-", "+")
        swapped = site.swap(node.left, node.right, old, new)
        if swapped is None:
            continue
        yield Change(0.05, (swapped,))
        if old == "-" and isinstance(node.left, ast.UnaryOp):
            minus = node.left
            if isinstance(minus.op, ast.USub):  # -(a) - b, both to be turned
                gone = Replacement(
                    source.file, minus.lineno, minus.col_offset,
                    minus.operand.lineno, minus.operand.col_offset, "",
                )  # fmt: skip
                if "(" not in source.at(*_span(gone)):
                    yield Change(0.15, (gone, swapped))


def _span(change: Replacement) -> tuple[int, int, int, int]:
    return change.line, change.column, change.end_line, change.end_column
