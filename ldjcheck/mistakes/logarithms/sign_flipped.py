"""LDJ104: the ldj, or one of its terms, has the wrong sign.

The logarithm is right but its sign is not: growth is reported as shrinking.
One term may be flipped, or all of them.

The rule:
    y = x * a   =>   log|det J| = +sum log|a|
    y = x / a   =>   log|det J| = -sum log|a|
    The ldj belongs to the map as it is run here, x to y: what makes y spread out
    counts positive.

How it shows:
    reported = -exact on every sample, of either sign; or the difference is minus
    twice one term. Flipped in both directions it survives every round trip.
    Behind a network that starts at zero it stays hidden until parameters move.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Standardize(nn.Module):
         # Subtract a learned mean and divide by a learned deviation.
         def __init__(self, dims=4):
             super().__init__()
             self.mean = nn.Parameter(torch.zeros(dims))
             self.log_std = nn.Parameter(torch.zeros(dims))

         def forward(self, x):
             y = (x - self.mean) * torch.exp(-self.log_std)
    -        ldj = self.log_std.sum().expand(len(x))
    +        ldj = -self.log_std.sum().expand(len(x))
             return y, ldj

What it costs:
    2 * |log2 a| on average over the dimensions. Training then drives the flow to
    shrink its inputs where it should spread them, and the likelihood it reports
    grows without bound.

Question:
    Take a map that makes everything larger. Should its ldj be above or below 0, and
    what does yours say?

Easily confused with:
    LDJ302: only the inverse is flipped: it repeats the forward ldj
    LDJ115: only negative values are flipped
    LDJ114: another factor than -1
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.catalogue.wording import named
from ldjcheck.mistakes.engine.kinds import SIGN, SIGN_OF_FACTOR, Use, Value, ValueEdit
from ldjcheck.mistakes.rewriting import signs
from ldjcheck.records import Explanation, Multiplier
from ldjcheck.torch_ops import DIVIDE, MULTIPLY

if TYPE_CHECKING:
    from torch import Tensor


def _tell(e: Explanation) -> str:
    return f"{named(e, start=True)} has the wrong sign."


def _edits(use: Use) -> Iterator[ValueEdit]:
    """Yield: `log(c * u)` for `log(c / u)`, one factor of what is logged turned."""
    is_factor = use.target.kind == "edge" and use.user.name in MULTIPLY | DIVIDE
    if is_factor and not use.linear and not use.is_number:
        minus = Multiplier.by(Fraction(-1))
        yield ValueEdit(SIGN_OF_FACTOR, _reciprocal, multiplier=minus)


def _reciprocal(value: Value) -> Tensor | None:
    return value.now.reciprocal() if value.now.is_floating_point() else None


RULE = Rule(
    code="LDJ104",
    name="sign-flipped",
    summary="the ldj or a term has the wrong sign",
    page=Page.read(__doc__),
    edits=_edits,
    claims=(Claim(SIGN, mend=(signs.turned,)),),
    tell=_tell,
)
