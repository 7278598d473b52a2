"""LDJ001: the module, file or notebook is missing, or raises on import."""

from __future__ import annotations

from ldjcheck.rules.rule import Rule

RULE = Rule(
    code="LDJ001",
    name="source-not-found",
    severity="error",
    summary="the module, file or notebook is missing, or raises on import",
)
