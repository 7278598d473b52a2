"""LDJ118: 1 is reported where the ldj is 0.

The determinant, 1, is reported for a map that keeps volume. Its logarithm is 0.

The rule:
    |det J| = 1   =>   log|det J| = 0

How it shows:
    reported = exact + 1 on every sample, at every shape.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Flip(nn.Module):
         # Reverse the order of the dims.
         def forward(self, x):
             y = x.flip(1)
    -        return y, torch.ones(len(x))
    +        return y, torch.zeros(len(x))

What it costs:
    1 / (D * ln 2) too low for each such layer in the flow.

Question:
    A map that keeps volumes has determinant 1. What is its logarithm?

Easily confused with:
    LDJ108: the determinant was reported, and it is not 1
    LDJ111: another number than 1 is too much
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.engine.closeness import FITS
from ldjcheck.mistakes.engine.kinds import ONE, WholeLaw
from ldjcheck.mistakes.rewriting import terms
from ldjcheck.records import Explanation

if TYPE_CHECKING:
    from torch import Tensor


def _tell(e: Explanation) -> str:
    if e.detail is not None:
        return "The log-determinant is 1 too large: a sum of logs starts at 0."
    return (
        "The log-determinant is reported as 1; a map that keeps volume has log 1 = 0."
    )


def _started(exact: Sequence[Tensor]) -> str | None:
    """Return where the sum was started, unless there is nothing to sum."""
    return None if all(bool((e.abs() <= FITS).all()) for e in exact) else "1"


RULE = Rule(
    code="LDJ118",
    name="one-for-zero",
    summary="1 is reported where the ldj is 0",
    page=Page.read(__doc__, shape=(4,), bits=0.361),
    laws=(WholeLaw(ONE, lambda e, trace: e + 1, detail=_started),),
    claims=(Claim(ONE, mend=(terms.zero_for_one,), difference="1"),),
    tell=_tell,
)
