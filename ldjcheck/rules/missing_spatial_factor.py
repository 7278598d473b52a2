"""LDJ102: a term counts once per channel, not once per pixel or time step."""

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
        and e.multiplier.family == "spatial"
    )


def _tell(e: Explanation) -> str:
    assert e.multiplier is not None
    where = "time step" if e.multiplier.label.endswith("T") else "pixel"
    return f"{named(e, start=True)} counts once, not once per {where}."


RULE = Rule(
    code="LDJ102",
    name="missing-spatial-factor",
    severity="error",
    summary="a term counts once per channel, not once per pixel or time step",
    explains=_explains,
    tell=_tell,
)
