"""What a term's explanation says: which operation, of what, does what to the volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.derivation.formulas import plain_name

if TYPE_CHECKING:
    from sympy import Expr

    from ldjcheck.derivation.formulas import Formulas
    from ldjcheck.tape import Node

_DOES = {
    "mul": "multiplies", "multiply": "multiplies", "rmul": "multiplies",
    "div": "divides", "truediv": "divides", "true_divide": "divides",
    "divide": "divides",
}  # fmt: skip


def said_of(formulas: Formulas, node: Node, derivative: Expr) -> str:
    """Return what an operation does to every entry."""
    name = plain_name(node.name)
    return _DOES.get(name, name)
