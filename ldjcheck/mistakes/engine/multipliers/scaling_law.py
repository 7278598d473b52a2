"""The law that a difference obeys over sizes, written out for the report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.mistakes.engine.kinds import ONE, SIGN, STEP_UNACCOUNTED, TWICE, UNNEEDED
from ldjcheck.records import Explanation, Law, LawPoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.tape import Trace


def with_law(explanation: Explanation, traces: Sequence[Trace]) -> Explanation:
    """Return the explanation with `difference = ...` and the sizes where it was seen."""
    expression = _expression(explanation)
    if expression is None:
        return explanation
    points: dict[int, float] = {}
    for trace in traces:
        points.setdefault(trace.dims, float((trace.reported - trace.exact)[0]))
    law = Law(
        expression=expression,
        points=tuple(
            LawPoint(dims=dims, difference=points[dims]) for dims in sorted(points)
        ),
    )
    return replace(explanation, law=law)


def _expression(explanation: Explanation) -> str | None:
    term, is_negative = "the term", explanation.negative
    if explanation.whole:
        term = "reported"
    elif explanation.constant and explanation.operand is not None:
        term = explanation.operand
        if explanation.kind == SIGN.name and not explanation.bare:
            # What is summed or multiplied before it is added is more than its operand.
            term, is_negative = f"(the share of {term})", False
    if explanation.kind == SIGN.name and explanation.multiplier is not None:
        label = explanation.multiplier.label
        if explanation.multiplier.family == "sign":
            return f"2 * {term}"
        factor = f"({label} - 1)" if is_negative else f"(1 - {label})"
        factor = factor.replace("1 - -", "1 + ")
        return f"{factor} * {term}"
    if explanation.kind in (UNNEEDED.name, TWICE.name):
        return term
    if explanation.kind == STEP_UNACCOUNTED.name:
        return "-(log|det| of that step)"
    if explanation.kind == ONE.name:
        return "1"
    return None
