"""LDJ114: the ldj, or one of its terms, is a plain multiple of the right one.

The ldj, or one term, is a plain multiple of the right one: counted twice, or a
log-variance stands where a log-deviation belongs.

The rule:
    y = x * exp(v / 2)   =>   log|det J| = sum v / 2,   not   sum v

How it shows:
    reported / exact, or one term's, is 2, 1/2, 3, ... on every sample and at
    every shape.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Spread(nn.Module):
         # Multiply each dimension by a deviation, kept as a log-variance.
         def __init__(self, dims=4):
             super().__init__()
             self.log_var = nn.Parameter(torch.zeros(dims))

         def forward(self, x):
             y = x * torch.exp(self.log_var / 2)
    -        ldj = self.log_var.sum().expand(len(x))
    +        ldj = (self.log_var / 2).sum().expand(len(x))
             return y, ldj

What it costs:
    (q - 1) times the term's share, for q times the right value.

Question:
    Divide what you report by what is right. What is the ratio, and where in your
    formula could that number come from?

Easily confused with:
    LDJ103: the multiple is a size: it changes with the shape
    LDJ104: the multiple is -1
    LDJ107: the multiple is ln 2, ln 10 or one over them
"""

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.catalogue.wording import named
from ldjcheck.mistakes.engine.kinds import NUMBER, TURN_EACH_TIME, TWICE
from ldjcheck.mistakes.rewriting import factors, terms
from ldjcheck.records import Explanation


def _tell(e: Explanation) -> str:
    if TURN_EACH_TIME.holds(e):
        by = f"{e.detail} at turn k of its loop"
        return f"{named(e, start=True)} must be multiplied by {by}."
    if TWICE.holds(e) or e.multiplier is None:
        return f"{named(e, start=True)} is counted twice."
    return f"{named(e, start=True)} must be multiplied by {e.multiplier.label}."


RULE = Rule(
    code="LDJ114",
    name="wrong-multiple",
    summary="a plain multiple of the right value",
    page=Page.read(__doc__),
    claims=(
        Claim(
            TWICE,
            mend=(factors.doubled, terms.taken_away, factors.dropped),
            difference="{term}",
        ),
        Claim(NUMBER, mend=(factors.by_number,)),
        Claim(TURN_EACH_TIME, mend=(factors.by_turn,)),
    ),
    tell=_tell,
)
