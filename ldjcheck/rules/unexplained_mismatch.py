"""LDJ199: the numbers do not agree, or the contract is broken, and no rule says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Finding, Verdict


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        if not verdict.mismatched and not verdict.faults:
            continue
        yield RULE.finding(
            _message(verdict),
            direction=verdict.direction,
            evidence=verdict.faults[1:],
        )


def _message(verdict: Verdict) -> str:
    if verdict.faults:
        fault = verdict.faults[0]
        return f"{fault[:1].upper()}{fault[1:]}."
    if verdict.singular:
        return "The Jacobian is singular, so the map has no log-determinant here."
    return "The log-determinant is wrong, and no known mistake explains how."


RULE = Rule(
    code="LDJ199",
    name="unexplained-mismatch",
    severity="error",
    summary="the ldj is wrong, and none of the known mistakes explains how",
    match=_match,
)
