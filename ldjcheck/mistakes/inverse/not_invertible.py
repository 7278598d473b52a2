"""LDJ304: the map cannot be undone: it loses dims, or folds.

Different inputs have the same output, so no inverse exists and no density can
be carried over. Either a dim is lost everywhere, or the map folds.

The rule:
    invertible and smooth   =>   det J is nowhere 0, and of one sign
    Where det J has both signs there is a fold between. Where it is 0 everywhere
    the outputs depend on each other.

How it shows:
    On all inputs some singular values of J are what rounding leaves of none, or
    the signs of the determinants differ while the parameters are the same. The
    formula of the ldj may well be right; a round trip fails. At isolated inputs, or
    for some parameters only, nothing is proved.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Bend(nn.Module):
         # Bend each dim.
         def forward(self, x):
    -        y = x + 2 * torch.sin(x)
    -        ldj = torch.log(torch.abs(1 + 2 * torch.cos(x))).sum(dim=1)
    +        y = x + 0.5 * torch.sin(x)
    +        ldj = torch.log(1 + 0.5 * torch.cos(x)).sum(dim=1)
             return y, ldj

What it costs:
    The model's density no longer sums to one: parts of the data are counted twice.

Question:
    Can two inputs have one output? Then which one should come back?

Easily confused with:
    LDJ301: the map can be undone, but the inverse does something else
    LDJ402: regular, but too close to singular to prove anything
    LDJ109: the map is invertible, and only the log of its sign is NaN
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding, Measurement, Side, Verdict


def _match(comparison: Comparison) -> Iterator[Finding]:
    if comparison.forward.faults or comparison.inverse.faults:
        return
    learns = comparison.measurement.has_parameters
    for verdict in comparison.verdicts:
        if verdict.flat and not _counts_twice(comparison):
            yield _lost(verdict, comparison.measurement)
            return  # the other direction could only repeat it
        if verdict.folds:
            finding = RULE.finding(
                "The map folds: the determinant of its Jacobian has both signs.",
                direction=verdict.direction,
                evidence=(
                    "between two such points it is 0, and two inputs have one image there",
                    "if inputs live on one side only, say so with --domain",
                ),
            )
            # Other values of its parameters may make an invertible map of it.
            yield replace(finding, severity="unproven") if learns else finding
            return
        if verdict.singular and not verdict.mismatched:
            yield replace(
                RULE.finding(
                    "The Jacobian is singular at the inputs tried first.",
                    direction=verdict.direction,
                    evidence=(
                        "elsewhere it is not: the map may be flat here, or saturate",
                        "give inputs where it is steeper, with --domain",
                    ),
                ),
                severity="unproven",
            )


def _counts_twice(comparison: Comparison) -> bool:
    """Return whether a base is asked about what makes the rest of z: that is told of it."""
    bases = comparison.measurement.measured[0].forward.said.bases
    return any(b.log is not None and bool(b.log.isinf().all()) for b in bases)


def _lost(verdict: Verdict, measurement: Measurement) -> Finding:
    why = "the determinant is 0, so there is no log-determinant to report"
    if verdict.usable:
        why = (
            "the determinant is 0 but for what float32's rounding has left: numbers that "
            "float32 cannot tell apart make it any other"
        )
    return RULE.finding(
        "The map is not invertible: its Jacobian is singular at every input tried.",
        direction=verdict.direction,
        evidence=(why, _how_lost(measurement.measured[0].of(verdict.direction))),
    )


def _how_lost(side: Side) -> str:
    """Return what a Jacobian says of how its map loses dims."""
    jacobian = side.exact.jacobian
    if jacobian is not None and bool((jacobian == 0).all(2).all(0).any()):
        return (
            "some output does not move with x: it is constant, rounded, clamped or "
            "saturated; where other inputs move it, give those with --domain"
        )
    return "some output is a function of the others, or some input is not used"


RULE = Rule(
    code="LDJ304",
    name="not-invertible",
    summary="a singular Jacobian, or a fold",
    page=Page.read(__doc__, shape=(3,)),
    match=_match,
)
