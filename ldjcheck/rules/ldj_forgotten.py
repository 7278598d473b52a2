"""LDJ119: the forward map reports no ldj at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind == "nothing-reported" and at.direction == "forward"


def _tell(e: Explanation) -> str:
    return "The log-determinant is forgotten: the layer reports 0."


RULE = Rule(
    code="LDJ119",
    name="ldj-forgotten",
    severity="error",
    summary="the forward map reports no ldj at all",
    explains=_explains,
    tell=_tell,
)
