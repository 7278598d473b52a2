"""LDJ404: autograd and central differences describe different maps.

The exact value comes from autograd, and central differences of the same map do
not bear it out. Without a Jacobian that both agree on, nothing is proved.

The rule:
    (f(x + h*v) - f(x - h*v)) / 2h  must tend to  J v  for every direction v

How it shows:
    The status is unproven. Seeing through `detach` and `no_grad` was tried. What is
    left is a map that jumps at every scale, or one that rounds inside.

For example:
    import math
    import torch
    from torch import nn

    class Dither(nn.Module):
        # Double, and add a pattern that gradients do not see.
        def forward(self, x):
            y = 2 * x + torch.sin(1e5 * x).round() / 1000
            ldj = torch.full((len(x),), x.shape[1] * math.log(2))
            return y, ldj

Run:
    ldjcheck flow.py:Dither --shape 4

You see:
    Autograd and central differences disagree about this map.
    ...
      seeing through detach and no_grad does not reconcile them
    ...
    1 layer: 1 unproven

What to do:
    Take the rounding or the jump out of the layer and check again, or check the
    smooth part by itself. A jump has no density to speak of.

What it costs:
    Nothing yet: nothing was proved.

Question:
    Where does your map jump, and what does a gradient see of that?

Easily confused with:
    LDJ402: both agree, but not in enough digits
    LDJ199: the map is clear and the ldj is wrong
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        if verdict.unanchored:
            yield RULE.finding(
                "Autograd and central differences disagree about this map.",
                direction=verdict.direction,
                evidence=(
                    "seeing through detach and no_grad does not reconcile them",
                    "a custom backward, or a map that jumps, would look like this",
                ),
            )
    for measured in comparison.measurement.gradients:
        if measured.map_off:
            yield RULE.finding(
                "Autograd and central differences disagree about this map.",
                direction=measured.direction,
                location=measured.location,
                evidence=(
                    "the value is borne out by differences; training follows autograd",
                    "the output goes through the backward shown: is it the derivative?",
                ),
            )


RULE = Rule(
    code="LDJ404",
    name="oracle-disagrees",
    severity="unproven",
    summary="autograd and differences disagree",
    page=Page.read(__doc__),
    match=_match,
)
