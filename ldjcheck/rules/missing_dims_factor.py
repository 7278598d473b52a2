"""LDJ101: a constant term counts once per sample, not once per dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule
from ldjcheck.rules.wording import named

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    return (
        e.kind == "times"
        and e.multiplier is not None
        and e.multiplier.family == "dims"
        and e.constant
        and not e.mean_written
    )


def _tell(e: Explanation) -> str:
    return f"The log-determinant counts {named(e)} once, not once per dimension."


RULE = Rule(
    code="LDJ101",
    name="missing-dims-factor",
    severity="error",
    summary="a constant term counts once per sample, not once per dimension",
    explains=_explains,
    tell=_tell,
)
