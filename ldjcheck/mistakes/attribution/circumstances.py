"""Findings beside those of a comparison: what holds in one way of calling, or of asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.mistakes import rule_for, rule_of
from ldjcheck.mistakes.contract import non_finite
from ldjcheck.mistakes.counts import masked_dims_counted
from ldjcheck.mistakes.proof import stale_suppression
from ldjcheck.mistakes.terms import ldj_forgotten, unexplained_mismatch
from ldjcheck.numerics.tolerance import says_nothing
from ldjcheck.records import Finding, Suppression

if TYPE_CHECKING:
    from torch import Tensor

    from ldjcheck.experiments.behaviour.padding import Padded


def refusal(error: CannotCheckError) -> Finding:
    """Return why a target could not be checked."""
    return rule_of(error.code).finding(error.message, evidence=error.evidence)


def without_gradients(usual: Tensor, without: Tensor, dims: int) -> Finding:
    """Return what an ldj is under `torch.no_grad()`, each `(batch,)`, at the same output."""
    nothing = says_nothing(without, dims)
    rule = ldj_forgotten.RULE if nothing else unexplained_mismatch.RULE
    return rule.finding(
        "Without gradients, under `torch.no_grad()`, the log-determinant is "
        + ("0." if nothing else "another one."),
        direction="forward",
        evidence=(
            "same input, same output, and right with gradients:",
            *(
                f"sample {index}: {float(w):+.6g} without, {float(u):+.6g} with them"
                for index, (w, u) in enumerate(zip(without, usual, strict=True))
            ),
        ),
    )


def with_padding(told: Padded) -> Finding:
    """Return what is wrong where a mask leaves out the end of a sample."""
    rule, what = (
        unexplained_mismatch.RULE,
        "is wrong where the mask leaves something out",
    )
    if not told.finite:
        rule, what = non_finite.RULE, "is no number where the mask leaves something out"
    elif told.counted:
        rule, what = masked_dims_counted.RULE, "also counts what the mask leaves out"
    return rule.finding(
        f"The {'density of z' if told.of_base else 'log-determinant'} {what}.",
        direction="forward",
        evidence=(
            "right where the mask keeps all; where it leaves out the end of a sample:",
            *(f"exact {e:+.6g}, reported {r:+.6g}" for r, e in told.numbers[:3]),
            "exact is that of what is kept: what is left out "
            + ("stays as it is" if told.left else "becomes zero"),
        ),
    )


def unused(suppression: Suppression) -> Finding:
    """Return that what is ignored does not occur."""
    named = rule_for(suppression.code)
    name = suppression.code if named is None else f"{named.code} {named.name}"
    place = suppression.place
    told = f"{name} is ignored, and does not occur."
    if place is not None:
        told = f"Line {place.line} ignores {name}, which does not occur."
    return stale_suppression.RULE.finding(
        told, location=place, evidence=(f"ignored: {suppression.reason}",)
    )
