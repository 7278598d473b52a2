"""Two statements that do not depend on one another stand the other way round."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from .code import blocks, loads, stores

if TYPE_CHECKING:
    from random import Random

    from .code import Code


def turn_round(code: Code, random: Random) -> bool:
    """Turn two neighbours round, neither of which sets what the other reads or sets."""
    found = [
        (block, at)
        for _, function in code.functions()
        if function.name != "__init__"
        for block in blocks(function)
        for at in range(len(block) - 1)
        if _is_free(block[at], block[at + 1])
    ]
    if not found:
        return False
    block, at = random.choice(found)
    block[at : at + 2] = [block[at + 1], block[at]]
    return True


def _is_free(first: ast.stmt, second: ast.stmt) -> bool:
    if not all(isinstance(s, (ast.Assign, ast.AugAssign)) for s in (first, second)):
        return False
    if any(sets_more_than_names(s) for s in (first, second)):
        return False
    one, other = stores(first), stores(second)
    return not (one & other or one & {*loads(second)} or other & {*loads(first)})


def sets_more_than_names(statement: ast.stmt) -> bool:
    """Return whether something else is set: an attribute, an entry, a tensor in place."""
    for node in ast.walk(statement):
        is_part = isinstance(node, (ast.Attribute, ast.Subscript))
        if is_part and not isinstance(node.ctx, ast.Load):
            return True
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", "")
            if name.endswith("_") and not name.endswith("__"):
                return True
    return False
