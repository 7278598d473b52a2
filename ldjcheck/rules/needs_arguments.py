"""LDJ003: the layer cannot be built without arguments."""

from __future__ import annotations

from ldjcheck.rules.rule import Rule

RULE = Rule(
    code="LDJ003",
    name="needs-arguments",
    severity="error",
    summary="the layer cannot be built without arguments",
)
