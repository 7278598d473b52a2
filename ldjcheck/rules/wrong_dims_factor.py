"""LDJ103: a term is multiplied by the wrong count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule
from ldjcheck.rules.wording import named

if TYPE_CHECKING:
    from ldjcheck.records import Explanation
    from ldjcheck.rules.rule import Circumstances


def _explains(e: Explanation, at: Circumstances) -> bool:
    if e.kind != "times" or e.multiplier is None:
        return False
    return e.multiplier.family == "shape" or (
        e.multiplier.family == "active" and e.constant
    )


def _tell(e: Explanation) -> str:
    assert e.multiplier is not None
    return (
        f"{named(e, start=True)} is multiplied by the wrong count: it needs "
        f"{e.multiplier.label} more."
    )


RULE = Rule(
    code="LDJ103",
    name="wrong-dims-factor",
    severity="error",
    summary="a term is multiplied by the wrong count",
    explains=_explains,
    tell=_tell,
)
