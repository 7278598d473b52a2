"""What of an import, or of an `if`, `for`, `with` or `try` block, some names need."""

from __future__ import annotations

import ast
import copy
from typing import TypeVar

from ldjcheck.targets.sources.notebook.deeds import Doings
from ldjcheck.targets.sources.notebook.names import names_in

_Statement = TypeVar("_Statement", bound=ast.stmt)
_BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try)
_FLOW = (ast.Pass, ast.Break, ast.Continue, ast.Raise, ast.Return)


def narrowed(node: _Statement, names: frozenset[str], doings: Doings) -> _Statement:
    """Return the statement with only those of its parts that the names need.

    Prints, plots and values that nobody asked for drop out of a block. What stands in a
    `try` decides whether it raises, so that there only what must never run drops out.
    """
    if not isinstance(node, _BLOCKS) or _is_risky_loop(node, doings):
        return _only_imports(node, names)
    needed = set(names)
    while True:
        kept = _kept(copy.deepcopy(node), frozenset(needed), doings)
        more = needed | names_in(kept).reads
        if more == needed:
            return kept
        needed = more


def _only_imports(node: _Statement, names: frozenset[str]) -> _Statement:
    """Return an import with only what is needed: the rest need not be installed."""
    if not isinstance(node, (ast.Import, ast.ImportFrom)):
        return node
    kept = [
        alias
        for alias in node.names
        if alias.name == "*" or (alias.asname or alias.name.partition(".")[0]) in names
    ]
    if not kept:  # it is needed for something else
        return node
    fewer = copy.copy(node)
    fewer.names = kept
    return fewer


def _kept(node: _Statement, needed: frozenset[str], doings: Doings) -> _Statement:
    """Return the block, changed in place, with what binds or changes needed names."""
    for name in ("body", "orelse", "finalbody"):
        body = getattr(node, name, None)
        if body:
            setattr(node, name, _body(body, node, needed, doings))
    for handler in getattr(node, "handlers", []):
        handler.body = _body(handler.body, node, needed, doings)
    return node


def _body(
    body: list[ast.stmt], owner: ast.stmt, needed: frozenset[str], doings: Doings
) -> list[ast.stmt]:
    kept = []
    for node in body:
        if isinstance(owner, ast.Try):
            if not (isinstance(node, ast.Expr) and doings.of(node).hazard):
                kept.append(node)
        elif isinstance(node, _FLOW):
            kept.append(node)
        elif _touches(node, needed, doings):
            is_whole = not isinstance(node, _BLOCKS) or _is_risky_loop(node, doings)
            part = node if is_whole else _kept(node, needed, doings)
            kept.append(_only_imports(part, needed))
    nothing = ast.copy_location(ast.Pass(), body[0])
    return kept or [nothing]


def _is_risky_loop(node: ast.stmt, doings: Doings) -> bool:
    """Return whether the rounds of a loop train or download: half of it means nothing."""
    is_loop = isinstance(node, (ast.For, ast.While))
    return is_loop and doings.of(node).hazard is not None


def _touches(node: ast.stmt, needed: frozenset[str], doings: Doings) -> bool:
    names, deeds = names_in(node), doings.of(node)
    return bool(
        needed
        & (names.binds | names.deletes | deeds.changes | deeds.may_change | deeds.binds)
    )
