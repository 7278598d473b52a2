"""LDJ104: the reported ldj is minus the exact one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.law import holds_everywhere
from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        if not verdict.mismatched or not holds_everywhere(verdict, lambda e: -e):
            continue
        if verdict.direction == "inverse" and not comparison.forward.mismatched:
            continue  # only the way back is wrong: that is LDJ302
        yield RULE.finding(
            "The log-determinant has the wrong sign.",
            direction=verdict.direction,
            evidence=(
                "reported = -exact on every sample, at every size and every draw of the "
                "parameters tried",
            ),
        )


RULE = Rule(
    code="LDJ104",
    name="sign-flipped",
    severity="error",
    summary="the ldj, or one of its terms, has the wrong sign",
    match=_match,
)
