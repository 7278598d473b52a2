"""LDJ109: the logarithm of a negative determinant or scale is NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind == "add-abs"


def _tell(e: Explanation) -> str:
    return "The logarithm misses an absolute value: it is NaN where its argument is negative."


RULE = Rule(
    code="LDJ109",
    name="missing-abs",
    severity="error",
    summary="the logarithm of a negative determinant or scale is NaN",
    explains=_explains,
    tell=_tell,
)
