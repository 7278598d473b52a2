"""LDJ007: the check would take too much time or memory."""

from __future__ import annotations

from ldjcheck.rules.rule import Rule

RULE = Rule(
    code="LDJ007",
    name="limit-reached",
    severity="error",
    summary="the check would take too much time or memory",
)
