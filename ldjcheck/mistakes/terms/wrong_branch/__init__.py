"""LDJ116: the ldj is right on part of the inputs only.

The map treats regions of its input differently, and the ldj does not follow:
a bound, a kink or a tail is forgotten or tested in another place.

The rule:
    y_i = f(x_i) where c(x_i), else g(x_i)
    log|det J| = sum of log|f'(x_i)| where c(x_i), else log|g'(x_i)|
    The same condition, at the same point, in both lines.

How it shows:
    Difference 0 on every sample that stays inside one region, not 0 beyond it.
    Checks on small inputs pass: the tails are never reached.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Ripple(nn.Module):
         # Bend the line inside [-3, 3] and leave the tails alone.
         def forward(self, x):
             inside = x.abs() < 3
             y = torch.where(inside, x + torch.sin(torch.pi * x) / 6, x)
             slope = 1 + torch.pi / 6 * torch.cos(torch.pi * x)
    -        ldj = torch.log(slope).sum(dim=1)
    +        ldj = torch.where(inside, slope.log(), 0.0).sum(dim=1)
             return y, ldj

What it costs:
    Nothing inside; outside, the mean of log2|f'/g'| over those dimensions.

Question:
    Try inputs on both sides of every bound and every kink. On which are you wrong?

Easily confused with:
    LDJ112: one formula, taken at another point
    LDJ109: NaN by the sign of a parameter, not by the input
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.engine.kinds import (
    BOUND,
    OTHER_CONDITION,
    REGION,
    Use,
    ValueEdit,
)
from ldjcheck.mistakes.rewriting import calls, points
from ldjcheck.records import Explanation
from ldjcheck.torch_ops import BOUNDED

if TYPE_CHECKING:
    from ldjcheck.mistakes.engine.case import Case


def _tell(e: Explanation) -> str:
    if OTHER_CONDITION.holds(e):
        return "The log-determinant does not follow the condition that the map follows."
    return f"The log-determinant is right only {e.detail or 'on part of the inputs'}."


def _seen(e: Explanation) -> Iterator[str]:
    if e.detail and REGION.holds(e):
        yield f"right {e.detail}, wrong elsewhere"


def _edits(use: Use) -> Iterator[ValueEdit]:
    """Yield: without a bound."""
    from ldjcheck.mistakes.engine.places import source_text

    if use.operation in BOUNDED:
        words = source_text(use.made.place) or f"`{use.operation}`"
        detail = f"where {words} changes nothing"
        yield ValueEdit(BOUND, lambda value: value.argument, detail=detail)


def _explanations(case: Case, found: Sequence[Explanation]) -> Iterator[Explanation]:
    from ldjcheck.mistakes.terms.wrong_branch.regions import region_explanations

    return region_explanations(case)


RULE = Rule(
    code="LDJ116",
    name="wrong-branch",
    summary="right on part of the inputs only",
    page=Page.read(__doc__),
    edits=_edits,
    explanations=_explanations,
    claims=(
        Claim(OTHER_CONDITION, mend=(points.other_conditions, points.masked)),
        Claim(
            REGION,
            mend=(
                calls.without_bound,
                points.masked,
                calls.with_abs,
                points.other_conditions,
                points.signed,
            ),
        ),
    ),
    tell=_tell,
    seen=_seen,
)
