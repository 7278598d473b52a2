"""LDJ110: a step of the map contributes nothing to the ldj."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind in ("step-unaccounted", "overwritten", "part-unaccounted")


def _tell(e: Explanation) -> str:
    if e.kind == "overwritten":
        return "Only the last of several log-determinants is kept; the others are lost."
    what = f"`{e.operand}`" if e.operand else "a step of the map"
    return f"The log-determinant leaves out {what}."


RULE = Rule(
    code="LDJ110",
    name="missing-term",
    severity="error",
    summary="a step of the map contributes nothing to the ldj",
    explains=_explains,
    tell=_tell,
)
