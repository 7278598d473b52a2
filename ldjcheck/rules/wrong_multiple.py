"""LDJ114: the ldj, or one of its terms, is a plain multiple of the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule
from ldjcheck.rules.wording import named

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    if e.kind == "twice":
        return True
    return (
        e.kind == "times"
        and e.multiplier is not None
        and e.multiplier.family == "number"
    )


def _tell(e: Explanation) -> str:
    if e.kind == "twice" or e.multiplier is None:
        return f"{named(e, start=True)} is counted twice."
    return f"{named(e, start=True)} must be multiplied by {e.multiplier.label}."


RULE = Rule(
    code="LDJ114",
    name="wrong-multiple",
    severity="error",
    summary="the ldj, or one of its terms, is a plain multiple of the right one",
    explains=_explains,
    tell=_tell,
)
