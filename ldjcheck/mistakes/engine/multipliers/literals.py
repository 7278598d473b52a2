"""Whether a count stands in the source as a number, where numbers alone do not tell.

At two dims a half may be 1/2 or 1/dims. `0.5 * s` says which, and so does `s / x.shape[1]`.
"""

from __future__ import annotations

import ast
from numbers import Integral, Real

from ldjcheck.mistakes.engine.closeness import EXACTLY
from ldjcheck.mistakes.engine.source.places import source_text
from ldjcheck.mistakes.engine.source.statements import uses_towards
from ldjcheck.tape import Node, Trace
from ldjcheck.torch_ops import DIVIDE, MULTIPLY


def is_spelled_out(trace: Trace, node: Node, needed: float) -> bool | None:
    """Return whether what a term must be rid of is a number in the source, or a count.

    `needed` is what the term must be multiplied by. None where the source has no such
    factor, or one that may be either.
    """
    for user, position in uses_towards(trace, node):
        others = [a for i, a in enumerate(user.args[:2]) if i != position]
        if len(others) != 1 or not isinstance(others[0], Real):
            continue
        factor = float(others[0])
        if user.name in DIVIDE and position == 0:
            factor = 1.0 / factor if factor else 0.0
        elif user.name not in MULTIPLY:
            continue
        if abs(factor * needed - 1.0) > EXACTLY:
            continue
        if _is_literal(source_text(user.place), float(others[0])):
            return True
        return False if isinstance(others[0], Integral) else None
    return None


def factors_written(trace: Trace, node: Node) -> frozenset[float]:
    """Return the plain numbers that a term is multiplied by on its way into the ldj."""
    return frozenset(
        abs(float(other))
        for user, position in uses_towards(trace, node)
        if user.name in MULTIPLY
        for index, other in enumerate(user.args[:2])
        if index != position and isinstance(other, Real)
    )


def _is_literal(text: str | None, number: float) -> bool:
    """Return whether one side of a product or quotient is this number, written out."""
    try:
        (statement,) = ast.parse(text or "").body
    except (SyntaxError, ValueError):
        return False
    whole = statement.value if isinstance(statement, ast.Expr) else statement
    sides: list[ast.expr] = []
    if isinstance(whole, ast.BinOp):
        sides = [whole.left, whole.right]
    elif isinstance(whole, ast.AugAssign):
        sides = [whole.value]
    return any(
        isinstance(side, ast.Constant)
        and isinstance(side.value, (int, float))
        and float(side.value) == number
        for side in sides
    )
