"""LDJ202: the ldj is not summed over all event axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        if verdict.form is None or verdict.mismatched or not verdict.usable:
            continue
        config, side, _ = verdict.usable[0]
        shape = side.ldj_shape or ()
        if math.prod(shape) <= config.batch:
            continue  # one entry per sample: that is LDJ201
        axes = ", ".join(str(axis) for axis in range(1, len(shape)))
        yield RULE.finding(
            f"The log-determinant is not summed: its shape is {shape}.",
            direction=verdict.direction,
            evidence=(f"summed over axes {axes} it is right on every sample",),
        )


RULE = Rule(
    code="LDJ202",
    name="not-reduced",
    severity="error",
    summary="the ldj is not summed over all event axes",
    match=_match,
)
