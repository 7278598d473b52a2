"""Where in the user's source something stands, and what is written there."""

from __future__ import annotations

import ast
import linecache
import types
from collections.abc import Sequence

from ldjcheck.records import Span
from ldjcheck.tape import Node, Place, Trace, location_of, shown_file
from ldjcheck.tracebacks import home_of, is_own

__all__ = [
    "argument_text",
    "location_of",
    "logged",
    "operand_of_step",
    "shown_file",
    "source_text",
    "spans_of",
]


def spans_of(node: Node) -> tuple[Span, ...]:
    """Return where an operation stands in the target's own, in the innermost call first."""
    home = home_of(tuple(place.file for place in reversed(node.places)))
    return tuple(
        Span(file=p.file, line=p.line, end_line=p.end_line, function=p.function)
        for p in node.places
        if is_own(p.file, home)
    )


def source_text(place: Place | None) -> str | None:
    """Return the source of the expression at a place, on one line."""
    if place is None:
        return None
    lines = [
        linecache.getline(place.file, n) for n in range(place.line, place.end_line + 1)
    ]
    if not lines or not lines[0]:
        return None
    encoded = [line.encode() for line in lines]
    encoded[-1] = encoded[-1][: place.end_column]
    encoded[0] = encoded[0][place.column :]
    text = b" ".join(part.strip() for part in encoded).decode(errors="replace")
    return " ".join(text.split()) or None


def argument_text(node: Node, position: object) -> str | None:
    """Return the source of one argument of an operation, where it can be told."""
    text = source_text(node.place)
    if text is None or not isinstance(position, int):
        return None
    try:
        statement = ast.parse(text).body[0]
    except (SyntaxError, IndexError):
        return None
    found: list[ast.expr] = []
    if isinstance(statement, ast.AugAssign):
        found = [statement.target, statement.value]
    elif isinstance(statement, ast.Expr):
        expression = statement.value
        if isinstance(expression, ast.BinOp):
            found = [expression.left, expression.right]
            if _is_swapped(node, expression):
                found = found[::-1]
        elif isinstance(expression, ast.Call):
            owner = expression.func
            found = list(expression.args)
            if isinstance(owner, ast.Attribute) and _is_method(node):
                found = [owner.value, *found]
    if node.name in ("__radd__", "__rmul__", "__rsub__", "__rtruediv__"):
        found = found[::-1]
    return ast.unparse(found[position]) if position < len(found) else None


def _is_swapped(node: Node, expression: ast.BinOp) -> bool:
    """Return whether the source has the number first, where the operation has it second.

    `2 * z` and `z * 2` are one call. The tensor is what ends where its own operation does,
    else what is a mere name beside something longer.
    """
    tensor, place = node.args[0], node.place
    second = node.args[1] if len(node.args) > 1 else None
    is_tensor = isinstance(second, Node) and second.name != "number"
    if len(node.args) < 2 or is_tensor or place is None:
        return False
    left, right = expression.left, expression.right
    if isinstance(tensor, Node) and tensor.place is not None:
        inner = source_text(tensor.place)
        if inner is not None and tensor.place.line == place.line:
            sides = [
                ast.unparse(ast.parse(inner)) == ast.unparse(s) for s in (left, right)
            ]
            if any(sides):
                return sides[1]
    if isinstance(left, ast.Constant) or isinstance(right, ast.Constant):
        return isinstance(left, ast.Constant)
    return isinstance(right, ast.Name) and not isinstance(left, ast.Name)


def _is_method(node: Node) -> bool:
    """Return whether an operation was called on the tensor, not through a module."""
    return isinstance(
        node.function, (types.MethodDescriptorType, types.WrapperDescriptorType)
    )


def operand_of_step(traces: Sequence[Trace], first: int, last: int) -> str | None:
    """Return what a step adds to the ldj, in its source's words: `log(1 - self.alpha)`."""
    step = max(
        traces[0].steps[first:last], key=lambda s: float(s.logdet.abs().max())
    ).end
    if step.name in ("mul", "__mul__", "__rmul__", "mul_", "__imul__"):
        carriers = [i for i, a in enumerate(step.args) if isinstance(a, Node)]
        others = [i for i in (0, 1) if i not in carriers]
        if others:
            return logged(argument_text(step, others[0]))
    if step.name in ("div", "__truediv__", "div_", "__itruediv__", "true_divide"):
        return logged(argument_text(step, 1))
    return source_text(step.place)


def logged(text: str | None) -> str | None:
    """Return how a factor enters the ldj, in the words of its source."""
    return None if text is None else f"log({text})"
