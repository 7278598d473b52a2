"""LDJ115: the absolute value is taken of the logarithm, not of its argument.

The bars stand around the logarithm instead of inside it, so that shrinking
counts as growth.

The rule:
    log|s| = log(abs(s)),   which may well be negative
    |log s| >= 0 always; for s = 1/2 it says +0.69 where -0.69 is right.

How it shows:
    Never negative. Right where every scale is above 1; elsewhere off by twice the
    logs of the scales below 1.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Scale(nn.Module):
         # Multiply each dimension by a learned number of either sign.
         def __init__(self, dims=4):
             super().__init__()
             self.scale = nn.Parameter(torch.rand(dims) + 0.5)

         def forward(self, x):
             y = x * self.scale
    -        ldj = self.scale.log().abs().sum().expand(len(x))
    +        ldj = self.scale.abs().log().sum().expand(len(x))
             return y, ldj

What it costs:
    Twice the sum of |log2 s| over the scales below 1, divided by D, too low.
    Training is then paid for shrinking instead of being charged for it.

Question:
    A map that makes everything smaller has an ldj below 0. Can yours come out so?

Easily confused with:
    LDJ104: the sign is wrong everywhere
    LDJ109: the abs is missing altogether
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.engine.closeness import SOMETHING
from ldjcheck.mistakes.engine.kinds import (
    ABSOLUTE,
    REMOVE_ABS,
    Use,
    ValueEdit,
    WholeLaw,
)
from ldjcheck.mistakes.rewriting import calls


def _edits(use: Use) -> Iterator[ValueEdit]:
    if use.operation.strip("_") == "abs":
        yield ValueEdit(REMOVE_ABS, lambda value: value.argument)


RULE = Rule(
    code="LDJ115",
    name="abs-of-log",
    summary="abs of the log, not log of the abs",
    page=Page.read(__doc__),
    laws=(
        WholeLaw(
            ABSOLUTE,
            lambda e, trace: e.abs(),
            tells=lambda e: bool((e < -SOMETHING).any()),
        ),
    ),
    edits=_edits,
    claims=(
        Claim(REMOVE_ABS, mend=(calls.without_abs,)),
        Claim(ABSOLUTE, mend=(calls.without_abs,)),
    ),
    tell="The absolute value is taken of the logarithm, so contractions count as growth.",
)
