"""LDJ106: the ldj is summed or averaged over the batch as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind in ("events-only", "batch-total")


def _tell(e: Explanation) -> str:
    return (
        "The log-determinant is reduced over the batch too: one number for all samples."
    )


RULE = Rule(
    code="LDJ106",
    name="batch-reduced",
    severity="error",
    summary="the ldj is summed or averaged over the batch as well",
    explains=_explains,
    tell=_tell,
)
