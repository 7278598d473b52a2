"""LDJ113: dimensions that the mask leaves alone are counted too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind == "leave-idle-out"


def _tell(e: Explanation) -> str:
    return "The log-determinant also counts the dimensions that the map leaves alone."


RULE = Rule(
    code="LDJ113",
    name="masked-dims-counted",
    severity="error",
    summary="dimensions that the mask leaves alone are counted too",
    explains=_explains,
    tell=_tell,
)
