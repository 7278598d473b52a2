"""LDJ116: the ldj is right on part of the inputs only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind in ("other-condition", "region")


def _tell(e: Explanation) -> str:
    if e.kind == "other-condition":
        return "The log-determinant does not follow the condition that the map follows."
    return f"The log-determinant is right only {e.detail or 'on part of the inputs'}."


RULE = Rule(
    code="LDJ116",
    name="wrong-branch",
    severity="error",
    summary="the ldj is right on part of the inputs only",
    explains=_explains,
    tell=_tell,
)
