"""Methods that give the ldj alone, such as `log_abs_det_jacobian(x, y)`.

The map is computed elsewhere, so a term has to be written in what the method is given: all
that lies between is written out.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ldjcheck.calling.parameter_names import is_total
from ldjcheck.derivation.calculus.formulas import Formulas
from ldjcheck.derivation.calculus.terms import Term
from ldjcheck.derivation.reading.execution import Execution, Recorded
from ldjcheck.derivation.writing.edits import Said
from ldjcheck.derivation.writing.scope import Scope
from ldjcheck.derivation.writing.spelling import (
    Spelled,
    said_of,
    spell,
    with_derivative,
)
from ldjcheck.revision import Replacement
from ldjcheck.revision.text import MethodNode, span_of
from ldjcheck.tape import Node


def ldj_method(call: Recorded) -> tuple[Execution, MethodNode] | None:
    """Return the method that gave the ldj, if one was asked for it by itself."""
    for execution in call.executions.values():
        outside = execution.caller is None or not call.is_own(execution.caller.file)
        if not outside or not is_total(execution.function):
            continue
        function = call.sources.function(execution)
        if function is None:
            continue
        if call.is_own(execution.file) and not isinstance(execution.returned, tuple):
            return execution, function
    return None


def method_lines(
    call: Recorded,
    formulas: Formulas,
    execution: Execution,
    terms: Sequence[Term],
) -> tuple[list[Said], list[Spelled]]:
    """Return each term in the words of the method, and what they are together.

    Raises:
        UnspeakableError: a term cannot be written in what the method is given.
    """
    scope = Scope(execution, execution.moments[0], call)
    lines = []
    for term in terms:
        parts = spell(formulas, [term], scope)
        if not parts:
            continue
        place = next((p for p in term.end.places if call.is_own(p.file)), None)
        number = 0 if place is None else place.line
        lines.append(
            Said(
                place=place,
                text=_joined(parts),
                why=said_of(formulas, [term], scope, number),
                part=None
                if len(parts) > 1
                else with_derivative(formulas, parts[0], scope),
            )
        )
    return lines, spell(formulas, terms, scope)


def body_of(
    call: Recorded,
    execution: Execution,
    function: MethodNode,
    parts: Sequence[Spelled],
) -> Replacement:
    """Return the replacement of a method's body by the derived ldj."""
    source, body = call.sources.of(execution), function.body
    first = body[0]
    is_documented = isinstance(first, ast.Expr) and isinstance(
        first.value, ast.Constant
    )
    if is_documented and len(body) > 1:
        first = body[1]
    line, column, *_ = span_of(first)
    *_, last, end = span_of(body[-1])
    indent = source.lines[line - 1][:column].decode()
    texts = _statements(call, execution, parts)
    text = f"\n{indent}".join(texts)
    return Replacement(source.file, line, column, last, end, text)


def _statements(
    call: Recorded, execution: Execution, parts: Sequence[Spelled]
) -> list[str]:
    zeros = call.form.zeros(_given(call, execution))
    if not parts:
        return [f"return {zeros}"]
    ordered = sorted(parts, key=lambda part: not part.varies)
    start = None if ordered[0].varies else zeros
    if len(ordered) == 1:
        return [f"return {ordered[0].after(start)}"]
    lines = [f"ldj = {ordered[0].after(start)}"]
    lines += [f"ldj = {part.after('ldj')}" for part in ordered[1:-1]]
    return [*lines, f"return {ordered[-1].after('ldj')}"]


def _given(call: Recorded, execution: Execution) -> str:
    """Return a parameter that holds the batch."""
    for name in execution.arguments:
        held = execution.moments[0].held.get(name)
        if (isinstance(held, Node) and held.value.dim() > 0) and len(
            held.value
        ) == call.trace.batch:
            return name
    return execution.arguments[-1]


def _joined(parts: Sequence[Spelled]) -> str:
    text = ""
    for part in parts:
        text = part.after(text or None)
    return text or "0"
