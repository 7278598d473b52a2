"""LDJ199: the numbers do not agree, or the contract is broken, and no rule says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    """Yield what breaks the contract, or has no log-determinant at all.

    A value that merely disagrees is left to the diagnosis.
    """
    for verdict in comparison.verdicts:
        if verdict.faults:
            first = verdict.faults[0]
            yield RULE.finding(
                f"{first[:1].upper()}{first[1:]}.",
                direction=verdict.direction,
                evidence=verdict.faults[1:],
            )
        elif verdict.form is not None and verdict.mismatched:
            yield RULE.finding(
                f"The log-determinant is wrong, and {verdict.form}.",
                direction=verdict.direction,
                evidence=("summed over its other axes it is not right either",),
            )
        elif verdict.mismatched and verdict.singular:
            yield RULE.finding(
                "The Jacobian is singular, so the map has no log-determinant here.",
                direction=verdict.direction,
            )


RULE = Rule(
    code="LDJ199",
    name="unexplained-mismatch",
    severity="error",
    summary="the ldj is wrong, and none of the known mistakes explains how",
    match=_match,
)
