"""LDJ301: the way back does not undo the map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    check = comparison.round_trip
    if check.status not in ("fail", "unproven") or check.worst is None:
        return
    finding = RULE.finding(
        "The inverse does not undo the forward map.",
        direction="inverse",
        evidence=(
            f"largest |inverse(f(x)) - x|: {check.worst:.6g}, "
            f"allowed {check.tolerance:.1g}",
        ),
    )
    if check.status == "fail":
        yield finding


RULE = Rule(
    code="LDJ301",
    name="inverse-mismatch",
    severity="error",
    summary="the inverse does not undo the forward map",
    match=_match,
)
