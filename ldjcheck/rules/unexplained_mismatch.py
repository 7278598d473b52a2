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
            evidence=(*verdict.faults, *_evidence(verdict)),
        )


def _message(verdict: Verdict) -> str:
    if verdict.faults:
        fault = verdict.faults[0]
        return f"{fault[:1].upper()}{fault[1:]}."
    if verdict.singular:
        return "The Jacobian is singular, so the map has no log-determinant here."
    return "The log-determinant is wrong, and no known mistake explains how."


def _evidence(verdict: Verdict) -> Iterator[str]:
    for sample in verdict.check.samples:
        if sample.reported is None or sample.difference is None:
            continue
        yield (
            f"sample {sample.index}: reported {sample.reported:+.6f}, "
            f"exact {sample.exact:+.6f}, difference {sample.difference:+.6g}"
        )


RULE = Rule(
    code="LDJ199",
    name="unexplained-mismatch",
    severity="error",
    summary="the ldj is wrong, and none of the known mistakes explains how",
    match=_match,
)
