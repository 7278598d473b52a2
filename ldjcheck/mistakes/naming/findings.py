"""All findings of a layer, by the rules in turn, the most important first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.mistakes import RULES
from ldjcheck.mistakes.naming.precedence import rank, without_consequences
from ldjcheck.mistakes.naming.values import place_for, value_findings
from ldjcheck.mistakes.unchecked import layer_raised
from ldjcheck.records import Comparison, Diagnosis, Finding

if TYPE_CHECKING:
    from ldjcheck.mistakes.catalogue.rule import Rule

RAISED = layer_raised.RULE.code
_SEVERITIES = ("error", "unproven", "warning", "note")


def name_findings(
    comparison: Comparison, diagnoses: Sequence[Diagnosis] | None = ()
) -> tuple[Finding, ...]:
    """Return all findings, the most important first: by severity, forward before inverse.

    That a direction raised comes last: what is wrong with the other one is still found.

    `diagnoses` is None as long as nothing was diagnosed.
    """
    values = list(value_findings(RULES, comparison, diagnoses))
    behaviour = [
        _located(rule, finding, diagnoses or ())
        for rule in RULES
        if rule.match is not None
        for finding in rule.match(comparison)
    ]
    return tuple(
        sorted(
            without_consequences([*values, *behaviour]),
            key=lambda f: (
                f.code == RAISED,
                _SEVERITIES.index(f.severity),
                f.direction == "inverse",
                rank(f),
            ),
        )
    )


def _located(rule: Rule, finding: Finding, diagnoses: Sequence[Diagnosis]) -> Finding:
    """Return a finding about behaviour with the statement that its rule points at."""
    for diagnosis in diagnoses:
        if finding.location is None and diagnosis.direction == finding.direction:
            return replace(finding, location=place_for(rule, diagnosis))
    return finding


def within_sublayer(finding: Finding, name: str) -> Finding:
    """Return a finding about a sublayer by itself as one about the flow that holds it."""
    message = f"In sublayer {name}: {finding.message[0].lower()}{finding.message[1:]}"
    return replace(finding, message=message)
