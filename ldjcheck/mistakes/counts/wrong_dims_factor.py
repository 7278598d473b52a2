"""LDJ103: a term is multiplied by the wrong count.

A constant term is multiplied by a count, but by the wrong one: the batch is in
it, an axis is missing, or it is one too large or too small.

The rule:
    log|det J| of one sample = D * log|a|,   D = C * H * W
    The batch B is not a dimension: each sample has a Jacobian of its own.
    `x.numel()` is B*D, `x[0].numel()` is D; `x.shape[1]` is C alone.

How it shows:
    reported / exact is a product of sizes. With the batch in it, the ldj changes
    with the batch size; with an axis missing, with the shape only.

Wrong (-) and right (+):
     import math

     from torch import nn

     class Rescale(nn.Module):
         # Bring pixels from 0..256 to 0..1.
         quants = 256

         def forward(self, z, ldj):
             z = z / self.quants
    -        ldj = ldj - math.log(self.quants) * z.numel()
    +        ldj = ldj - math.log(self.quants) * z[0].numel()
             return z, ldj

What it costs:
    (m - 1) * log2|a| for a count that is m times too large: with the batch in
    it, m = B.

Question:
    Write down which axes your count runs over. Which of them does one sample have?

Easily confused with:
    LDJ101: there is no factor at all
    LDJ102: exactly the pixels are missing
    LDJ106: a sum over data runs over the batch too
    LDJ113: the count includes dimensions that a mask leaves alone
"""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.catalogue.wording import named
from ldjcheck.mistakes.engine.kinds import ACTIVE, COUNT_EACH_TIME, MONOMIAL
from ldjcheck.mistakes.rewriting.factors import counted
from ldjcheck.records import Diagnosis, Explanation


def _fixed(e: Explanation) -> tuple[int, str] | None:
    """Return the count of one size that stands where that of every size belongs, and it."""
    m = e.multiplier
    if m is None or m.number.numerator != 1 or m.number == 1 or m.below or m.sign < 0:
        return None
    return m.number.denominator, replace(m, number=Fraction(1)).label


def _why(e: Explanation, diagnosis: Diagnosis) -> Iterator[str]:
    fixed = _fixed(e)
    if fixed is not None:
        number, count = fixed
        yield (
            f"right where {count} is {number}: a layer that is made for such a shape "
            "alone is checked at it by --shape"
        )


def _tell(e: Explanation) -> str:
    m, fixed, term = e.multiplier, _fixed(e), named(e, start=True)
    assert m is not None
    if not (
        e.constant or m.above or m.is_scaled
    ):  # it is to be said of a dim, on average
        return f"{term} must be divided by {replace(m, below=(), above=m.below).label}."
    wrong = f"{term} is multiplied by the wrong count:"
    if COUNT_EACH_TIME.holds(e):
        return f"{wrong} that of the input, not of what the map has made by then."
    if m.below == ("dims",) and m.number.denominator == 1 and m.base >= 0:
        return f"{wrong} dims instead of {replace(m, below=()).label.strip('()')}."
    if fixed is not None:
        number, count = fixed
        return f"{term} is counted {number} times at every shape, instead of {count} times."
    return f"{wrong} it needs {m.label} times as much."


RULE = Rule(
    code="LDJ103",
    name="wrong-dims-factor",
    summary="multiplied by the wrong count",
    page=Page.read(__doc__, shape=(1, 28, 28)),
    claims=(
        Claim(MONOMIAL, mend=(counted,)),
        Claim(ACTIVE, when=lambda e, at: e.constant, mend=(counted,)),
        Claim(COUNT_EACH_TIME, mend=(counted,)),
    ),
    tell=_tell,
    why=_why,
)
