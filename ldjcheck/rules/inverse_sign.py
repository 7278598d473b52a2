"""LDJ302: the inverse reports the forward map's ldj instead of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    minus = (
        e.kind == "times" and e.multiplier is not None and e.multiplier.family == "sign"
    )
    return minus and e.whole and at.direction == "inverse" and at.forward_agrees


def _tell(e: Explanation) -> str:
    return "The inverse reports the ldj of the forward map: its sign is wrong."


RULE = Rule(
    code="LDJ302",
    name="inverse-sign",
    severity="error",
    summary="the inverse reports the ldj of the forward map, with the wrong sign",
    explains=_explains,
    tell=_tell,
)
