"""LDJ004: how the layer is called, or what it returns, is not understood."""

from __future__ import annotations

from ldjcheck.rules.rule import Rule

RULE = Rule(
    code="LDJ004",
    name="convention-unrecognised",
    severity="error",
    summary="how the layer is called, or what it returns, is not understood",
)
