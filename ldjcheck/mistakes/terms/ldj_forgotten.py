"""LDJ119: the forward map reports no ldj at all.

The layer reports 0, or hands the running total back untouched, though its map
changes volume.

The rule:
    0 is right only where |det J| = 1: permutations, shifts, rotations.

How it shows:
    reported = 0 on every sample while exact is not.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Coupling(nn.Module):
         # Scale and shift one half of the dims by what the other half says.
         def __init__(self, dims=4):
             super().__init__()
             self.net = nn.Linear(dims // 2, dims)

         def forward(self, x):
             a, b = x.chunk(2, dim=1)
             log_s, t = self.net(a).chunk(2, dim=1)
             y = torch.cat([a, b * log_s.exp() + t], dim=1)
    -        ldj = torch.zeros(len(x))
    +        ldj = log_s.sum(dim=1)
             return y, ldj

What it costs:
    The layer's whole share. Training sees no reward for spreading out.

Question:
    Does your map move volume? What would a layer have to be like for its ldj to be 0?

Easily confused with:
    LDJ110: other terms are there, one step is not
    LDJ303: only the way back reports none
    LDJ401: the exact value is 0 as well
"""

from ldjcheck.mistakes.catalogue import Circumstances, Claim, Page, Rule
from ldjcheck.mistakes.engine.kinds import NOTHING_REPORTED
from ldjcheck.mistakes.rewriting import terms
from ldjcheck.records import Explanation


def _is_forward(e: Explanation, at: Circumstances) -> bool:
    return at.direction == "forward"


RULE = Rule(
    code="LDJ119",
    name="ldj-forgotten",
    summary="0 is reported where the ldj is not 0",
    page=Page.read(__doc__),
    claims=(
        Claim(
            NOTHING_REPORTED, when=_is_forward, mend=(terms.overwritten, terms.instead)
        ),
    ),
    tell="The log-determinant is forgotten: the layer reports 0.",
    derived=True,
)
