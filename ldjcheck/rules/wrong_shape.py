"""LDJ201: the ldj is right, but does not have the shape (batch,)."""

from __future__ import annotations

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
        entries = 1
        for size in side.ldj_shape or ():
            entries *= size
        if entries != config.batch:
            continue  # more than one entry per sample: that is LDJ202
        yield RULE.finding(
            f"The log-determinant has shape {side.ldj_shape}, not ({config.batch},).",
            direction=verdict.direction,
            evidence=(
                "its values are right once reshaped",
                f"added to a ({config.batch},) log-density it gives a "
                f"({config.batch}, {config.batch}) matrix, without an error",
            ),
        )


RULE = Rule(
    code="LDJ201",
    name="wrong-shape",
    severity="error",
    summary="the ldj has the right values in the wrong shape",
    match=_match,
)
