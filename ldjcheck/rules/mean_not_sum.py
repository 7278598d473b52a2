"""LDJ105: a term is averaged over dimensions instead of summed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule
from ldjcheck.rules.wording import named

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    if e.kind == "sum-for-mean":
        return True
    if e.kind != "times" or e.multiplier is None:
        return False
    counts = e.multiplier.family in ("dims", "active")
    return counts and (e.mean_written or not e.constant)


def _tell(e: Explanation) -> str:
    return f"{named(e, start=True)} is averaged over the dimensions, not summed."


RULE = Rule(
    code="LDJ105",
    name="mean-not-sum",
    severity="error",
    summary="a term is averaged over dimensions instead of summed",
    explains=_explains,
    tell=_tell,
)
