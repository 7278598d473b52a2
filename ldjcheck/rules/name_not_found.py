"""LDJ002: the source has no such name."""

from __future__ import annotations

from ldjcheck.rules.rule import Rule

RULE = Rule(
    code="LDJ002",
    name="name-not-found",
    severity="error",
    summary="the source has no such name",
)
