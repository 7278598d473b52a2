"""Where in the user's source something stands, and what is written there."""

from __future__ import annotations

import ast
import linecache
import os
from typing import TYPE_CHECKING

from ldjcheck.diagnosis.terms import same_terms_chain
from ldjcheck.records import Location
from ldjcheck.tape import Node, Place, Trace

if TYPE_CHECKING:
    from collections.abc import Sequence


def location_of(place: Place | None) -> Location | None:
    """Return a place as the report shows it, with the source line's text."""
    if place is None:
        return None
    return Location(
        file=shown_file(place.file),
        line=place.line,
        column=place.column + 1,
        function=place.function,
        text=linecache.getline(place.file, place.line).strip() or None,
    )


def shown_file(path: str) -> str:
    """Return a file as a reader in the current folder would type it."""
    here = os.getcwd() + os.sep
    return path.removeprefix(here)


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
        elif isinstance(expression, ast.Call):
            owner = expression.func
            method = isinstance(owner, ast.Attribute)
            found = [owner.value, *expression.args] if method else list(expression.args)  # type: ignore[union-attr]  # `method` narrows it
    if node.name in ("__radd__", "__rmul__", "__rsub__", "__rtruediv__"):
        found = found[::-1]
    return ast.unparse(found[position]) if position < len(found) else None


def statement_of(trace: Trace, node: Node) -> Place | None:
    """Return where a value becomes an ldj: the innermost place of its terms per sample.

    Of the nodes that hold the same terms it is the innermost one without event axes; when
    there is none, the innermost one that has a place at all.
    """
    chain = list(same_terms_chain(trace, node))
    small = [n for n in chain if n.place is not None and n.value.numel() <= trace.batch]
    placed = small or [n for n in chain if n.place is not None]
    return placed[-1].place if placed else None


def ldj_statement(trace: Trace) -> Place | None:
    """Return where the whole ldj is made."""
    node = trace.ldj
    if node is None:
        return None
    if node in trace.own_set:
        return statement_of(trace, node)
    return node.place


def last_statement(trace: Trace) -> Place | None:
    """Return the last statement that touches the ldj."""
    node = trace.ldj
    while node is not None and node.place is None:
        parents = node.parents
        node = parents[0] if parents else None
    return node.place if node is not None else None


def largest_step(trace: Trace, first: int = 0, last: int | None = None) -> Place | None:
    """Return where the largest of some steps of the map runs."""
    steps = trace.steps[first:last]
    if not steps:
        return None
    return max(steps, key=lambda step: float(step.logdet.abs().max())).end.place


def missing_statement(trace: Trace, first: int, last: int) -> Place | None:
    """Return the line of a step that nothing accounts for, as seen by the ldj's author.

    That is in the innermost frame that still hands an ldj on: the step's own frame, or the
    caller that dropped what its callee returned.
    """
    steps = trace.steps[first:last]
    big = max(steps, key=lambda step: float(step.logdet.abs().max())).end
    handing = {place.call for node in trace.own for place in node.places}
    for place in big.places:
        if place.call in handing:
            return place
    return big.place


def shared_frame(user: Node, used: Node) -> Place | None:
    """Return where, in the frame that made a value, it is handed to its user."""
    calls = {place.call for place in used.places}
    for place in user.places:
        if place.call in calls:
            return place
    return user.place


def operand_of_step(traces: Sequence[Trace], first: int, last: int) -> str | None:
    """Return the factor by which a step scales, as its source has it: `1 - self.alpha`."""
    step = max(
        traces[0].steps[first:last], key=lambda s: float(s.logdet.abs().max())
    ).end
    if step.name in ("mul", "__mul__", "__rmul__", "mul_", "__imul__"):
        carriers = [i for i, a in enumerate(step.args) if isinstance(a, Node)]
        others = [i for i in (0, 1) if i not in carriers]
        if others:
            return argument_text(step, others[0])
    if step.name in ("div", "__truediv__", "div_", "__itruediv__", "true_divide"):
        return argument_text(step, 1)
    return source_text(step.place)
