"""LDJ302: the inverse reports the forward map's ldj instead of its own.

The inverse reports the log-determinant of the forward map, sign included.

The rule:
    log|det J of f_inv|(y) = -log|det J of f|(x)   at y = f(x)

How it shows:
    Forward is right; the inverse reports minus its exact value, so that the two
    do not cancel. Some libraries define it so: name that convention instead.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Affine(nn.Module):
         # Scale and shift each dimension.
         def __init__(self, dims=4):
             super().__init__()
             self.log_s = nn.Parameter(torch.zeros(dims))
             self.t = nn.Parameter(torch.zeros(dims))

         def forward(self, x):
             y = x * self.log_s.exp() + self.t
             return y, self.log_s.sum().expand(len(x))

         def inverse(self, y):
             x = (y - self.t) * torch.exp(-self.log_s)
    -        return x, self.log_s.sum().expand(len(y))
    +        return x, -self.log_s.sum().expand(len(y))

What it costs:
    2 * |forward share| in whatever trains or scores through the inverse;
    sampling shows nothing.

Question:
    If the way there makes volumes larger, what does the way back do to them?

Easily confused with:
    LDJ104: both directions are flipped, or one term is
    LDJ303: the inverse reports none, or 0
"""

from ldjcheck.mistakes.catalogue import Circumstances, Claim, Page, Rule
from ldjcheck.mistakes.engine.kinds import SIGN
from ldjcheck.mistakes.rewriting import signs
from ldjcheck.records import Explanation


def _repeats_forward(e: Explanation, at: Circumstances) -> bool:
    return e.whole and at.direction == "inverse" and at.forward_agrees


RULE = Rule(
    code="LDJ302",
    name="inverse-sign",
    summary="inverse reports the forward ldj",
    page=Page.read(__doc__),
    claims=(Claim(SIGN, when=_repeats_forward, mend=(signs.turned,)),),
    asked_first=True,
    points_at="last statement",
    tell="The inverse reports the ldj of the forward map: its sign is wrong.",
)
