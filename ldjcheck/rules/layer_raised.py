"""LDJ005: the layer raised an exception, or ended its process."""

from __future__ import annotations

from ldjcheck.rules.rule import Rule

RULE = Rule(
    code="LDJ005",
    name="layer-raised",
    severity="error",
    summary="the layer raised an exception, or ended its process",
)
