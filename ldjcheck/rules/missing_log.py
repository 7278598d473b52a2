"""LDJ108: a scale or determinant is added without its logarithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule
from ldjcheck.rules.wording import named

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind in ("add-log", "remove-exp", "exponential", "trace")


def _tell(e: Explanation) -> str:
    if e.kind == "trace":
        return "The trace of the Jacobian is reported, not its log-determinant."
    if e.kind == "exponential":
        return "The determinant itself is reported, not its logarithm."
    return f"{named(e, start=True)} is added without its logarithm."


RULE = Rule(
    code="LDJ108",
    name="missing-log",
    severity="error",
    summary="a scale or determinant is added without its logarithm",
    explains=_explains,
    tell=_tell,
)
