"""Edits that turn a sign: an operator swapped, a minus taken away or written."""

import ast
from collections.abc import Iterator

from ldjcheck.mistakes.rewriting.sites import Change, Site
from ldjcheck.revision.text import is_minus, is_sum, names_in, span_of, targets_of


def turned(site: Site) -> Iterator[Change]:
    """Yield every edit that turns one sign of a statement."""
    yield from _of_all_terms(site)
    yield from operators(site)
    yield from _one_way(site)
    for node in site.expressions:
        if is_minus(node) and not isinstance(node.operand, ast.Constant):
            yield Change(0.1, (site.alone(node, node.operand),))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
            yield site.put(node, f"-{site.as_factor(node.operand)}", 0.05)
    for node in site.terms:
        parent = site.parent(node)
        inside_sum = is_sum(parent) and parent.left is not node
        if inside_sum or isinstance(node, ast.UnaryOp):
            continue  # there the operator is what turns the sign
        total = added_to(site.statement)
        if total is not None and (
            isinstance(parent, ast.Assign) or site.text(node) == total
        ):
            continue  # the total of all rounds before would turn as well
        text = f"-{site.as_factor(node)}"
        if isinstance(parent, ast.BinOp) and parent.right is node:
            text = f"({text})"
        is_plain = site.as_factor(node) == site.text(node)  # without brackets
        whole = isinstance(parent, ast.stmt | ast.Tuple) and is_plain
        yield site.put(node, text, 0.2 if whole else 0.5)


def _one_way(site: Site) -> Iterator[Change]:
    """Yield edits that turn a sign in one direction, where both share a statement.

    What both share may be added in lines of their own: there first.
    """
    asked = []
    made = {t.id for t in targets_of(site.statement) if isinstance(t, ast.Name)}
    for node in site.inside:
        name = _asked_in(node.test) if isinstance(node, ast.If | ast.IfExp) else ""
        if name in site.names:
            asked.append(name)
        for each in site.source.nodes_of(node) if name in site.names and made else ():
            if is_sum(each) and names_in(each.right) & made:
                swap = site.turned(each)
                if swap is not None:
                    yield Change(0.05, (swap,))
    for node in site.terms:
        parent = site.parent(node)
        added = (
            is_sum(parent) and parent.right is node and isinstance(parent.op, ast.Add)
        )
        whole = isinstance(parent, ast.stmt | ast.Tuple)
        if not (whole or added) or isinstance(node, ast.UnaryOp):
            continue
        plain, other = site.text(node), f"-{site.as_factor(node)}"
        for name in dict.fromkeys(asked):
            for cost, one, two in ((0.21, other, plain), (0.22, plain, other)):
                text = f"{one} if {name} else {two}"
                yield site.put(node, text if whole else f"({text})", cost)


def _asked_in(test: ast.expr) -> str:
    """Return the name that a condition asks about, or nothing."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    return test.id if isinstance(test, ast.Name) else ""


def _of_all_terms(site: Site) -> Iterator[Change]:
    """Yield the edits that turn all terms which a block adds to one total."""
    total = added_to(site.statement)
    around: ast.AST = site.statement
    while around is not site.function and total:
        assert isinstance(around, ast.stmt)
        inside = [n for each in site.source.block(around) for n in ast.walk(each)]
        swaps = [site.turned(node) for node in inside if added_to(node) == total]
        found = [swap for swap in swaps if swap is not None]
        if len(found) > 1 and len(found) == len(swaps):
            yield Change(2.0 * (len(found) - 1), tuple(found))
        around = site.parent(around)


def added_to(node: ast.AST) -> str | None:
    """Return the total that a statement adds a term to, or takes it off; None if to none."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        return ast.unparse(node.target)
    if isinstance(node, ast.Assign) and is_sum(node.value):
        total = ast.unparse(node.value.left)
        return total if total in map(ast.unparse, targets_of(node)) else None
    return None


def operators(site: Site) -> Iterator[Change]:
    """Yield every swap of a plus and a minus."""
    if isinstance(site.statement, ast.AugAssign):
        swapped = site.turned(site.statement)
        if swapped is not None:
            yield Change(0.0, (swapped,))
    for node in site.expressions:
        swapped = site.turned(node)
        if swapped is None:
            continue
        yield Change(0.05, (swapped,))
        assert isinstance(node, ast.BinOp)
        minus = node.left
        if isinstance(node.op, ast.Sub) and is_minus(minus):
            # -(a) - b, both to be turned
            gone = (*span_of(minus)[:2], *span_of(minus.operand)[:2])
            if "(" not in site.source.at(*gone):
                yield Change(0.15, (site.source.put_at(gone, ""), swapped))
