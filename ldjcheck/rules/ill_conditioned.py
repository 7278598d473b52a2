"""LDJ402: rounding may hide more than a mistake would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        if verdict.ill_conditioned and not verdict.mismatched:
            yield RULE.finding(
                "The Jacobian is too ill-conditioned to prove the log-determinant.",
                direction=verdict.direction,
                evidence=(
                    f"rounding alone allows a difference of {verdict.check.tolerance:.2g}",
                    "try smaller parameters, --params-scale 0.1, or a smaller --shape",
                ),
            )


RULE = Rule(
    code="LDJ402",
    name="ill-conditioned",
    severity="unproven",
    summary="rounding alone may hide more than a mistake would cost",
    match=_match,
)
