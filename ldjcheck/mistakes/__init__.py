"""The rules: what is known about each mistake, one file each.

Adding one is one file with a `RULE`, and its line in `RULES`. The order is that of the
codes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.mistakes import (
    abs_of_log,
    batch_reduced,
    convention_unrecognised,
    dims_changed,
    direction_ambiguous,
    eps_inside_log,
    evaluated_at_wrong_point,
    extra_term,
    gradient_cut,
    ill_conditioned,
    incoming_ldj_ignored,
    incoming_ldj_mutated,
    input_mutated,
    inverse_ldj_untracked,
    inverse_mismatch,
    inverse_sign,
    layer_raised,
    ldj_forgotten,
    limit_reached,
    masked_dims_counted,
    mean_not_sum,
    missing_abs,
    missing_dims_factor,
    missing_log,
    missing_spatial_factor,
    missing_term,
    name_not_found,
    needs_arguments,
    no_working_input,
    noise_leaves_range,
    non_finite,
    not_invertible,
    not_reduced,
    not_repeatable,
    one_for_zero,
    oracle_disagrees,
    samples_coupled,
    scalar_ldj,
    sign_flipped,
    single_precision,
    source_not_found,
    split_prior_wrong,
    stale_cache,
    stale_suppression,
    state_changes,
    unexplained_mismatch,
    vacuous_check,
    wrong_branch,
    wrong_derivative,
    wrong_dims_factor,
    wrong_log_base,
    wrong_multiple,
    wrong_shape,
)
from ldjcheck.mistakes.naming import place_for, value_findings
from ldjcheck.mistakes.page import sections, shown_by
from ldjcheck.mistakes.precedence import rank, without_consequences
from ldjcheck.mistakes.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.records import Comparison, Diagnosis, Finding

__all__ = ["RULES", "Rule", "name_findings", "rule_for", "sections", "shown_by"]

RULES: tuple[Rule, ...] = (
    source_not_found.RULE,
    name_not_found.RULE,
    needs_arguments.RULE,
    convention_unrecognised.RULE,
    layer_raised.RULE,
    no_working_input.RULE,
    limit_reached.RULE,
    missing_dims_factor.RULE,
    missing_spatial_factor.RULE,
    wrong_dims_factor.RULE,
    sign_flipped.RULE,
    mean_not_sum.RULE,
    batch_reduced.RULE,
    wrong_log_base.RULE,
    missing_log.RULE,
    missing_abs.RULE,
    missing_term.RULE,
    extra_term.RULE,
    evaluated_at_wrong_point.RULE,
    masked_dims_counted.RULE,
    wrong_multiple.RULE,
    abs_of_log.RULE,
    wrong_branch.RULE,
    eps_inside_log.RULE,
    one_for_zero.RULE,
    ldj_forgotten.RULE,
    wrong_derivative.RULE,
    unexplained_mismatch.RULE,
    wrong_shape.RULE,
    not_reduced.RULE,
    scalar_ldj.RULE,
    incoming_ldj_ignored.RULE,
    incoming_ldj_mutated.RULE,
    input_mutated.RULE,
    samples_coupled.RULE,
    not_repeatable.RULE,
    state_changes.RULE,
    gradient_cut.RULE,
    stale_cache.RULE,
    single_precision.RULE,
    non_finite.RULE,
    inverse_mismatch.RULE,
    inverse_sign.RULE,
    inverse_ldj_untracked.RULE,
    not_invertible.RULE,
    dims_changed.RULE,
    vacuous_check.RULE,
    ill_conditioned.RULE,
    direction_ambiguous.RULE,
    oracle_disagrees.RULE,
    stale_suppression.RULE,
    split_prior_wrong.RULE,
    noise_leaves_range.RULE,
)

_SEVERITIES = ("error", "unproven", "warning", "note")


def rule_for(code_or_name: str) -> Rule | None:
    """Return the rule of this code or name, or None."""
    wanted = code_or_name.strip()
    return next(
        (r for r in RULES if wanted.upper() == r.code or wanted.lower() == r.name), None
    )


def name_findings(
    comparison: Comparison, diagnoses: Sequence[Diagnosis] | None = ()
) -> tuple[Finding, ...]:
    """Return all findings, the most important first: by severity, forward before inverse.

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
