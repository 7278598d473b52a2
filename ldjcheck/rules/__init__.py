"""The rules: what is known about each mistake, one file each.

Adding one is one file with a `RULE`, and its line in `RULES`. The order is that of the
codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.rules import (
    convention_unrecognised,
    ill_conditioned,
    inverse_ldj_untracked,
    inverse_mismatch,
    inverse_sign,
    layer_raised,
    limit_reached,
    name_not_found,
    needs_arguments,
    no_working_input,
    oracle_disagrees,
    sign_flipped,
    source_not_found,
    unexplained_mismatch,
    vacuous_check,
)
from ldjcheck.rules.rule import Rule

if TYPE_CHECKING:
    from ldjcheck.records import Comparison, Finding

__all__ = ["RULES", "Rule", "diagnose", "rule_for"]

RULES: tuple[Rule, ...] = (
    source_not_found.RULE,
    name_not_found.RULE,
    needs_arguments.RULE,
    convention_unrecognised.RULE,
    layer_raised.RULE,
    no_working_input.RULE,
    limit_reached.RULE,
    sign_flipped.RULE,
    unexplained_mismatch.RULE,
    inverse_mismatch.RULE,
    inverse_sign.RULE,
    inverse_ldj_untracked.RULE,
    vacuous_check.RULE,
    ill_conditioned.RULE,
    oracle_disagrees.RULE,
)

_SEVERITIES = ("error", "unproven", "warning", "note")


def rule_for(code_or_name: str) -> Rule | None:
    """Return the rule of this code or name, or None."""
    wanted = code_or_name.strip()
    return next(
        (r for r in RULES if wanted.upper() == r.code or wanted.lower() == r.name), None
    )


def diagnose(comparison: Comparison) -> tuple[Finding, ...]:
    """Return all findings, the most important first.

    A direction whose mismatch a rule explains is not also called unexplained.
    """
    found = [
        finding
        for rule in RULES
        if rule.match is not None
        for finding in rule.match(comparison)
    ]
    explained = {
        finding.direction
        for finding in found
        if finding.severity == "error" and finding.code < "LDJ199"
    } | {f.direction for f in found if f.code == inverse_sign.RULE.code}
    kept = [
        finding
        for finding in found
        if finding.code != unexplained_mismatch.RULE.code
        or finding.direction not in explained
    ]
    return tuple(
        sorted(
            kept,
            key=lambda f: (_SEVERITIES.index(f.severity), f.direction == "inverse"),
        )
    )
