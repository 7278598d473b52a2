"""LDJ110: a step of the map contributes nothing to the ldj.

A step of the map changes volume, but nothing in the ldj stands for it.

The rule:
    y = f2(f1(x))   =>   log|det J| = log|det J1|(x) + log|det J2|(f1(x))
    Each step gives one term. A constant factor a is a step too: D * log|a|.

How it shows:
    exact - reported equals the log-determinant of one step. A constant close to 1
    such as 1 - alpha costs little: at alpha = 1e-5 it is lost in float32, and
    shows only in double precision. A slice such as `[:, 1:]`, or a loop that ends
    too soon, leaves out the first or the last dims.

Wrong (-) and right (+):
    +import math
    +
     import torch
     from torch import nn

     class Logit(nn.Module):
         # Squeeze (0, 1) a little, then stretch it to the real line.
         alpha = 0.05

         def forward(self, x):
             z = x * (1 - self.alpha) + self.alpha / 2
             y = torch.log(z) - torch.log(1 - z)
             ldj = -torch.log(z) - torch.log(1 - z)
    +        ldj = ldj + math.log(1 - self.alpha)
             return y, ldj.sum(dim=1)

What it costs:
    The step's share. For z * (1 - alpha): -log2(1 - alpha).

Question:
    List the steps of the map, one under the other, and beside each what it adds to the
    ldj. Which line of the list stays empty?

Easily confused with:
    LDJ101: the term is there, without its number of dimensions
    LDJ119: no term is there at all: the ldj is 0
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.catalogue.wording import named
from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.rewriting import calls, densities, factors, points, terms
from ldjcheck.records import Explanation, Finding, Location

if TYPE_CHECKING:
    from ldjcheck.mistakes.engine.case import Case

_SHOWN = 9.0  # nats: what is more is shown as a power
_WHOLE, _MOST = 1e-4, 1000  # how well an integral is known, and what is a count


def _tell(e: Explanation) -> str:
    if kinds.DIMS_LEFT_OUT.holds(e):
        return f"The log-determinant leaves out {e.detail}."
    if kinds.NORMALISER.holds(e):
        what = f"log(2 pi) / 2 for {e.detail}"
        return f"The constant of the normal density is left out: {what}."
    if kinds.OVERWRITTEN.holds(e) and e.sublayers:
        return "The flow keeps only the log-determinant of its last sublayer."
    if e.whole and e.within:
        return f"Sublayer {e.within} reports no log-determinant at all."
    if e.sublayers:
        return f"The flow leaves out {named(e)}."
    if kinds.OVERWRITTEN.holds(e):
        return "Only the last of several log-determinants is kept; the others are lost."
    times = f"{e.detail} * " if kinds.PART_UNACCOUNTED.holds(e) and e.detail else ""
    what = f"`{times}{e.operand}`" if e.operand else "a step of the map"
    return f"The log-determinant leaves out {what}."


def _explanations(case: Case, found: Sequence[Explanation]) -> Iterator[Explanation]:
    from ldjcheck.mistakes.terms.missing_term.steps import step_explanations

    return step_explanations(case.traces, found)


RULE = Rule(
    code="LDJ110",
    name="missing-term",
    summary="a step of the map is not counted",
    page=Page.read(__doc__, shape=(4,), bits=0.074),
    explanations=_explanations,
    mend=(densities.weighted,),
    claims=(
        Claim(
            kinds.STEP_UNACCOUNTED,
            mend=(
                terms.overwritten,
                terms.added,
                terms.added_to_total,
                calls.with_log,
                calls.without_slice,
            ),
            difference="-(log|det| of that step)",
        ),
        Claim(kinds.OVERWRITTEN, mend=(terms.added, terms.added_to_total)),
        Claim(
            kinds.PART_UNACCOUNTED,
            mend=(
                terms.told,
                terms.overwritten,
                terms.added,
                points.masked,
                calls.with_log,
            ),
        ),
        Claim(kinds.NORMALISER, mend=(terms.added,)),
        Claim(kinds.DIMS_LEFT_OUT, mend=(calls.without_slice, factors.other_rounds)),
    ),
    tell=_tell,
    derived=True,
)


def of_a_step(
    instead: Finding, step: str, location: Location | None, derived: tuple[str, ...]
) -> Finding:
    """Return what is told of a step whose own term, and no other, is all that is missing.

    `derived` are the terms of the map, a line each.
    """
    return replace(
        instead,
        code=RULE.code,
        name=RULE.name,
        message=f"The log-determinant leaves out `{step}`.",
        location=location,
        evidence=("difference = -(log|det| of that step)", *derived),
    )


def of_a_base(instead: Finding, off: float, dims: int) -> Finding:
    """Return what is told of a model that is off by one number for all samples, in nats.

    What its density says of z does not integrate to 1, and is no density.
    """
    integral = f"{math.exp(off):.4g}" if abs(off) < _SHOWN else f"exp({off:+.4g})"
    whole = round(math.exp(off)) if 0 < off < _SHOWN else 0
    is_whole = 1 < whole <= _MOST and abs(off - math.log(whole)) < _WHOLE
    count = f" = log({whole})" if is_whole else ""
    return replace(
        instead,
        code=RULE.code,
        name=RULE.name,
        message=(
            f"A constant of the base is missing: its density integrates to {integral}, "
            "not to 1."
        ),
        evidence=(
            f"every sample is off by {off:+.4g} nats{count}, {off / dims:+.4g} for each dim",
            *instead.evidence,
        ),
    )
