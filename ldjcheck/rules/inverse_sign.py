"""LDJ302: the inverse reports the forward map's ldj instead of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.law import holds_everywhere
from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    inverse = comparison.inverse
    if not inverse.mismatched or comparison.forward.mismatched:
        return
    if holds_everywhere(inverse, lambda e: -e):
        yield RULE.finding(
            "The inverse reports the ldj of the forward map: its sign is wrong.",
            direction="inverse",
            evidence=(
                "the way back has ldj = -(forward ldj); here reported = -exact on every "
                "sample, and the forward direction is right",
            ),
        )


RULE = Rule(
    code="LDJ302",
    name="inverse-sign",
    severity="error",
    summary="the inverse reports the ldj of the forward map, with the wrong sign",
    match=_match,
)
