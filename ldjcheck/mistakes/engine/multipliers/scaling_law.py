"""The law that a difference obeys over sizes, written out for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.mistakes.engine.kinds import TIMES
from ldjcheck.records import Explanation, Law, LawPoint

if TYPE_CHECKING:
    from ldjcheck.tape import Trace


def with_law(
    explanation: Explanation, traces: Sequence[Trace], difference: str = ""
) -> Explanation:
    """Return the explanation with `difference = ...` and the sizes where it was seen.

    `difference` is how the mistake writes it, with `{term}` for the term. Where it says
    nothing, only that of a multiplier is known.
    """
    expression = _expression(explanation, difference)
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


def _expression(explanation: Explanation, difference: str) -> str | None:
    term, is_negative = "the term", explanation.negative
    if explanation.whole:
        term = "reported"
    elif explanation.constant and explanation.operand is not None:
        term = explanation.operand
        if explanation.kind == TIMES and not explanation.bare:
            # What is summed or multiplied before it is added is more than its operand.
            term, is_negative = f"(the share of {term})", False
    if explanation.kind == TIMES and explanation.multiplier is not None:
        label = explanation.multiplier.label
        if explanation.multiplier.family == "sign":
            return f"2 * {term}"
        factor = f"({label} - 1)" if is_negative else f"(1 - {label})"
        factor = factor.replace("1 - -", "1 + ")
        return f"{factor} * {term}"
    return difference.replace("{term}", term) or None
