"""LDJ107: a logarithm to base 2 or 10 stands where nats are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule
from ldjcheck.rules.wording import named

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    if e.kind == "natural-log":
        return True
    return (
        e.kind == "times"
        and e.multiplier is not None
        and e.multiplier.family == "log-base"
    )


def _tell(e: Explanation) -> str:
    return f"{named(e, start=True)} is not in nats: its logarithm has another base."


RULE = Rule(
    code="LDJ107",
    name="wrong-log-base",
    severity="error",
    summary="a logarithm to base 2 or 10 stands where nats are meant",
    explains=_explains,
    tell=_tell,
)
