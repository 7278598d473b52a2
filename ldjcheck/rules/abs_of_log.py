"""LDJ115: the absolute value is taken of the logarithm, not of its argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind in ("remove-abs", "absolute")


def _tell(e: Explanation) -> str:
    return (
        "The absolute value is taken of the logarithm, so contractions count as growth."
    )


RULE = Rule(
    code="LDJ115",
    name="abs-of-log",
    severity="error",
    summary="the absolute value is taken of the logarithm, not of its argument",
    explains=_explains,
    tell=_tell,
)
