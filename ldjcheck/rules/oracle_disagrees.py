"""LDJ404: autograd and central differences describe different maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        if verdict.unanchored:
            yield RULE.finding(
                "Autograd and central differences disagree about this map.",
                direction=verdict.direction,
                evidence=(
                    "seeing through detach and no_grad does not reconcile them",
                    "a custom backward, or a map that jumps, would look like this",
                ),
            )


RULE = Rule(
    code="LDJ404",
    name="oracle-disagrees",
    severity="unproven",
    summary="autograd and central differences disagree about the map itself",
    match=_match,
)
