"""LDJ111: the ldj has a term that no step of the map accounts for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule
from ldjcheck.rules.wording import named

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind == "unneeded"


def _tell(e: Explanation) -> str:
    return f"The log-determinant has a term too many: {named(e)}."


RULE = Rule(
    code="LDJ111",
    name="extra-term",
    severity="error",
    summary="the ldj has a term that no step of the map accounts for",
    explains=_explains,
    tell=_tell,
)
