"""LDJ303: the way back keeps no account of its ldj."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    inverse = comparison.inverse
    if not inverse.untracked:
        return
    first = inverse.usable[0][1] if inverse.usable else None
    exact = (
        ""
        if first is None or first.exact is None
        else (f"; its exact value is {float(first.exact[0]):+.6g} on sample 0")
    )
    yield RULE.finding(
        "The inverse does not track its ldj, so only the map itself was checked.",
        direction="inverse",
        evidence=(f"it returns none, or the one passed in untouched{exact}",),
    )


RULE = Rule(
    code="LDJ303",
    name="inverse-ldj-untracked",
    severity="warning",
    summary="the inverse returns no ldj, or leaves it untouched",
    match=_match,
)
