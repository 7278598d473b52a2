"""LDJ118: 1 is reported where the ldj is 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind == "one"


def _tell(e: Explanation) -> str:
    return (
        "The log-determinant is reported as 1; a map that keeps volume has log 1 = 0."
    )


RULE = Rule(
    code="LDJ118",
    name="one-for-zero",
    severity="error",
    summary="1 is reported where the ldj is 0",
    explains=_explains,
    tell=_tell,
)
