"""LDJ303: the way back keeps no account of its ldj.

The way back returns no ldj, zeros, or the total that it was given. Often meant
so, since sampling needs none: a warning, and the layer passes. A way back
that returns x alone has no place for an ldj: there it is a note.

The rule:
    log|det J of f_inv|(y) = -log|det J of f|(x)   at y = f(x)

How it shows:
    The report says `inverse: ldj not tracked`. The map itself is still checked, by
    the round trip.

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
    -        return x, torch.zeros(len(y))
    +        return x, -self.log_s.sum().expand(len(y))

What it costs:
    Nothing while only samples are drawn. Likelihoods of samples, and training
    by reverse KL, then miss the layer's whole share.

Question:
    What does your way back report, and who might use that number?

Easily confused with:
    LDJ119: the forward map reports none: that is a mistake
    LDJ302: the inverse reports one, with the wrong sign
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    inverse = comparison.inverse
    if not inverse.untracked:
        return
    first = comparison.measurement.measured[0].inverse
    exact = (
        ""
        if first.exact.ldj is None
        else (f"; its exact value is {float(first.exact.ldj[0]):+.6g} on sample 0")
    )
    back = comparison.measurement.calls.inverse
    promised = back is not None and back.tracked
    expected = not promised or first.said.bare
    finding = RULE.finding(
        "The inverse does not track its ldj, so only the map itself was checked.",
        direction="inverse",
        evidence=(f"it returns none, or the one passed in untouched{exact}",),
    )
    # Where there is no place for an ldj, none is kept from anybody.
    yield replace(finding, severity="note") if expected else finding


RULE = Rule(
    code="LDJ303",
    name="inverse-ldj-untracked",
    severity="warning",
    summary="the inverse reports no ldj",
    page=Page.read(__doc__),
    match=_match,
)
