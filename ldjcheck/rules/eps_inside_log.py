"""LDJ117: a small number inside a logarithm shifts the ldj."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Explanation, Finding
    from ldjcheck.rules.rule import Circumstances

HARMLESS = 1e-4
"""Nats up to which the number is a note: it guards a logarithm and costs next to nothing."""


def _explains(e: Explanation, at: Circumstances) -> bool:
    return e.kind == "number-in-log"


def _tell(e: Explanation) -> str:
    return "A small number inside the logarithm shifts the log-determinant."


def softened(finding: Finding, at: Circumstances) -> Finding:
    """Return the finding as a note where the shift is harmless."""
    return replace(finding, severity="note") if at.largest <= HARMLESS else finding


RULE = Rule(
    code="LDJ117",
    name="eps-inside-log",
    severity="error",
    summary="a small number inside a logarithm shifts the ldj",
    explains=_explains,
    tell=_tell,
)
