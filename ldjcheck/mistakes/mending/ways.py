"""Which edits of the source mend what the diagnosis found, the plainest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.mistakes import RULES
from ldjcheck.mistakes.rewriting import calls, factors, points, signs, terms

if TYPE_CHECKING:
    from ldjcheck.mistakes.catalogue.claim import Claim, Way
    from ldjcheck.records import Explanation

ANYTHING: tuple[Way, ...] = (
    factors.literals,
    signs.turned,
    terms.shorter_sums,
    factors.dropped,
    factors.exponents,
    factors.by_rounds,
    calls.without_abs,
    calls.with_log,
    calls.with_abs,
    calls.summed,
    points.other_conditions,
    points.other_parts,
    points.other_names,
    points.other_order,
    points.masked,
)
"""What is tried where the diagnosis cannot say more, or what it said did not help."""


def claims_on(explanation: Explanation) -> tuple[Claim, ...]:
    """Return the claims of all mistakes on explanations of this kind."""
    claims = (claim for rule in RULES for claim in rule.claims)
    return tuple(claim for claim in claims if claim.kind.holds(explanation))


def ways_for(explanation: Explanation) -> tuple[Way, ...]:
    """Return the edits that may do what an explanation asks for, as its mistake says."""
    return next((c.mend for c in claims_on(explanation) if c.mend), ())


def is_lacking(explanation: Explanation) -> bool:
    """Return whether something is missing, which may be written near the place."""
    return any(claim.kind.lacking for claim in claims_on(explanation))


def is_counting(explanation: Explanation) -> bool:
    """Return whether a count is wrong that a plain number may stand for."""
    return any(claim.kind.counting for claim in claims_on(explanation))
