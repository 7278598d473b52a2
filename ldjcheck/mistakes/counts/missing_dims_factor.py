"""LDJ101: a constant term counts once per sample, not once per dimension.

A constant scale changes the volume once per dimension, but the layer adds its
logarithm only once per sample.

The rule:
    z = a * x with D dimensions   =>   log|det J| = D * log|a|
    J is a times the identity. Its determinant is a**D, not a.

How it shows:
    reported - exact = (1 - D) * log|a|: the same for every sample, zero at D = 1,
    and changing by -log|a| with each dimension that is added. Where both
    directions forget the factor, their sum is 0 all the same: a round trip
    cannot see it. Terms that depend on the data need no factor: they are summed
    over the dimensions already.

Wrong (-) and right (+):
     import math

     from torch import nn

     class Rescale(nn.Module):
         # Bring pixels from 0..256 to 0..1.
         quants = 256

         def forward(self, z, ldj):
             z = z / self.quants
    -        ldj = ldj - math.log(self.quants)
    +        ldj = ldj - math.log(self.quants) * z[0].numel()
             return z, ldj

What it costs:
    (1 - 1/D) * log2|a|, nearly log2(256) = 8 for pixels. A model that reports
    negative bits per dimension usually has this mistake.

Question:
    Take an input of two entries instead of one. By what must each term of your ldj
    change, and which one does not?

Easily confused with:
    LDJ102: only the pixels are missing: the term sums over channels
    LDJ103: there is a factor, but it counts the wrong axes
    LDJ105: the term is averaged; on constants the numbers are the same
    LDJ110: the whole term is absent, not only its factor
"""

from ldjcheck.mistakes.catalogue import Circumstances, Claim, Page, Rule
from ldjcheck.mistakes.catalogue.wording import is_turned, named, why_per_dim
from ldjcheck.mistakes.engine.kinds import DIMS, DIMS_EACH_TIME
from ldjcheck.mistakes.rewriting.factors import counted
from ldjcheck.records import Explanation


def _is_counted_once(e: Explanation, at: Circumstances) -> bool:
    return e.constant and not e.mean_written


def _tell(e: Explanation) -> str:
    told = f"The log-determinant counts {named(e)} once, not once per dimension"
    return f"{told}{', and with the wrong sign' * is_turned(e)}."


RULE = Rule(
    code="LDJ101",
    name="missing-dims-factor",
    summary="constant counted once, not per dim",
    page=Page.read(__doc__, shape=(1, 28, 28), bits=7.99),
    claims=(
        Claim(DIMS, when=_is_counted_once, mend=(counted,)),
        Claim(DIMS_EACH_TIME, mend=(counted,)),
    ),
    tell=_tell,
    why=why_per_dim,
)
