"""LDJ112: a derivative is taken after its step instead of before, or the reverse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind == "other-point"


def _tell(e: Explanation) -> str:
    point = e.detail or "another point"
    return f"A term is evaluated at the wrong point: it belongs at {point}."


RULE = Rule(
    code="LDJ112",
    name="evaluated-at-wrong-point",
    severity="error",
    summary="a derivative is taken after its step instead of before, or the reverse",
    explains=_explains,
    tell=_tell,
)
