"""LDJ120: one statement holds the whole difference, and no known mistake fits it."""

from __future__ import annotations

from ldjcheck.rules.rule import Rule

RULE = Rule(
    code="LDJ120",
    name="wrong-derivative",
    severity="error",
    summary="one statement is not the log-derivative of its step, and no law says how",
)
