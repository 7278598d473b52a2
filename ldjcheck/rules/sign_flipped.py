"""LDJ104: the ldj, or one of its terms, has the wrong sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule
from ldjcheck.rules.wording import named

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return (
        e.kind == "times" and e.multiplier is not None and e.multiplier.family == "sign"
    )


def _tell(e: Explanation) -> str:
    return f"{named(e, start=True)} has the wrong sign."


RULE = Rule(
    code="LDJ104",
    name="sign-flipped",
    severity="error",
    summary="the ldj, or one of its terms, has the wrong sign",
    explains=_explains,
    tell=_tell,
)
