"""LDJ006: no input shape or domain was found that the layer takes."""

from __future__ import annotations

from ldjcheck.rules.rule import Rule

RULE = Rule(
    code="LDJ006",
    name="no-working-input",
    severity="error",
    summary="no input shape or domain was found that the layer takes",
)
