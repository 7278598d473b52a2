"""The mistakes: all that is known about each, one file or folder each.

Adding one is one file with a `RULE`, and its line in `IN_ORDER`.
"""

from __future__ import annotations

from importlib import import_module

from ldjcheck.mistakes.catalogue import Rule, sections, shown_by

__all__ = ["IN_ORDER", "RULES", "Rule", "rule_for", "sections", "shown_by"]

IN_ORDER = (
    "source_not_found",
    "name_not_found",
    "needs_arguments",
    "convention_unrecognised",
    "layer_raised",
    "no_working_input",
    "limit_reached",
    "missing_dims_factor",
    "missing_spatial_factor",
    "wrong_dims_factor",
    "sign_flipped",
    "mean_not_sum",
    "batch_reduced",
    "wrong_log_base",
    "missing_log",
    "missing_abs",
    "missing_term",
    "extra_term",
    "evaluated_at_wrong_point",
    "masked_dims_counted",
    "wrong_multiple",
    "abs_of_log",
    "wrong_branch",
    "eps_inside_log",
    "one_for_zero",
    "ldj_forgotten",
    "wrong_derivative",
    "size_hard_coded",
    "unexplained_mismatch",
    "wrong_shape",
    "not_reduced",
    "scalar_ldj",
    "incoming_ldj_ignored",
    "incoming_ldj_mutated",
    "input_mutated",
    "samples_coupled",
    "not_repeatable",
    "state_changes",
    "gradient_cut",
    "stale_cache",
    "single_precision",
    "non_finite",
    "inverse_mismatch",
    "inverse_sign",
    "inverse_ldj_untracked",
    "not_invertible",
    "dims_changed",
    "inverse_approximate",
    "vacuous_check",
    "ill_conditioned",
    "direction_ambiguous",
    "oracle_disagrees",
    "stale_suppression",
    "split_prior_wrong",
    "noise_leaves_range",
)
"""The register: modules of this package, by the codes of their rules."""

RULES: tuple[Rule, ...] = tuple(
    import_module(f"{__name__}.{name}").RULE for name in IN_ORDER
)


def rule_for(code_or_name: str) -> Rule | None:
    """Return the rule of this code or name, or None."""
    wanted = code_or_name.strip()
    return next(
        (r for r in RULES if wanted.upper() == r.code or wanted.lower() == r.name), None
    )
