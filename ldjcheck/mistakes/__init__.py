"""The mistakes: all that is known about each, one file or folder each.

Adding one is one file with a `RULE` in its section, and its line in `IN_ORDER`.
"""

import re
from difflib import get_close_matches
from importlib import import_module

from ldjcheck.mistakes.catalogue import Rule, sections, shown_by

__all__ = [
    "IN_ORDER", "RULES", "Rule", "codes_for", "ignorable_codes_for", "rule_for", "rule_of",
    "sections", "shown_by",
]  # fmt: skip

IN_ORDER = (
    "unchecked.source_not_found",
    "unchecked.name_not_found",
    "unchecked.needs_arguments",
    "unchecked.convention_unrecognised",
    "unchecked.layer_raised",
    "unchecked.no_working_input",
    "unchecked.limit_reached",
    "counts.missing_dims_factor",
    "counts.missing_spatial_factor",
    "counts.wrong_dims_factor",
    "logarithms.sign_flipped",
    "counts.mean_not_sum",
    "counts.batch_reduced",
    "logarithms.wrong_log_base",
    "logarithms.missing_log",
    "logarithms.missing_abs",
    "terms.missing_term",
    "terms.extra_term",
    "terms.evaluated_at_wrong_point",
    "counts.masked_dims_counted",
    "counts.wrong_multiple",
    "logarithms.abs_of_log",
    "terms.wrong_branch",
    "logarithms.eps_inside_log",
    "logarithms.one_for_zero",
    "terms.ldj_forgotten",
    "terms.wrong_derivative",
    "counts.size_hard_coded",
    "terms.unexplained_mismatch",
    "contract.wrong_shape",
    "contract.not_reduced",
    "contract.scalar_ldj",
    "contract.incoming_ldj_ignored",
    "contract.incoming_ldj_mutated",
    "contract.input_mutated",
    "contract.samples_coupled",
    "contract.not_repeatable",
    "contract.state_changes",
    "contract.gradient_cut",
    "contract.stale_cache",
    "contract.single_precision",
    "contract.non_finite",
    "inverse.inverse_mismatch",
    "inverse.inverse_sign",
    "inverse.inverse_ldj_untracked",
    "inverse.not_invertible",
    "inverse.dims_changed",
    "inverse.inverse_approximate",
    "proof.vacuous_check",
    "proof.ill_conditioned",
    "proof.direction_ambiguous",
    "proof.oracle_disagrees",
    "proof.reading_ambiguous",
    "proof.stale_suppression",
    "likelihood.split_prior_wrong",
    "likelihood.noise_leaves_range",
)
"""The register: modules of this package, by the codes of their rules."""

RULES: tuple[Rule, ...] = tuple(
    import_module(f"{__name__}.{name}").RULE for name in IN_ORDER
)


def rule_of(code: str) -> Rule:
    """Return the rule of a finding's code."""
    return next(rule for rule in RULES if rule.code == code)


def rule_for(code_or_name: str) -> Rule | None:
    """Return the rule of this code or name, or None."""
    wanted = code_or_name.strip()
    return next(
        (r for r in RULES if wanted.upper() == r.code or wanted.lower() == r.name), None
    )


def codes_for(text: str) -> tuple[str, ...]:
    """Return the codes that `text` stands for: `LDJ101`, `LDJ2`, `sign-flipped`, ....

    Several are separated by commas.

    Raises:
        ValueError: one of them is no rule; the text says what it may have been.
    """
    words = {w.lower(): r.code for r in RULES for w in (r.code, r.name)}
    found: list[str] = []
    for word in text.split(","):
        wanted = word.strip().lower().replace("_", "-")
        if wanted in words:
            found.append(words[wanted])
            continue
        group = [r.code for r in RULES if r.code.lower().startswith(wanted)]
        if not re.fullmatch(r"ldj\d{0,2}", wanted) or not group:
            raise ValueError(_hint(wanted))
        found += group
    return tuple(dict.fromkeys(found))


def ignorable_codes_for(text: str) -> tuple[str, ...]:
    """Return the same for rules that may be ignored.

    Raises:
        ValueError: also where it says that nothing was checked (LDJ0xx).
    """
    codes = codes_for(text)
    kept = tuple(code for code in codes if not code.startswith("LDJ0"))
    if not kept:
        raise ValueError(f"{codes[0]} says that nothing was checked.")
    return kept


def _hint(wanted: str) -> str:
    shown = {w.lower(): w for r in RULES for w in (r.code, r.name)}
    near = get_close_matches(wanted, shown, n=9, cutoff=0.7)
    # A wrong letter is likelier than one that has moved.
    near.sort(key=lambda w: sum(a != b for a, b in zip(w, wanted, strict=False)))
    if not near:  # a single word of a name is what people remember
        near = [word for word in shown if wanted and wanted in word.split("-")][:2]
    if near:
        return f"did you mean {' or '.join(shown[word] for word in near[:2])}?"
    return "`ldjcheck codes` lists all."
