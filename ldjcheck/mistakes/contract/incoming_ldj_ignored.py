"""LDJ204: the ldj that is passed in does not come back.

The layer takes the running total of the layers before it and must return that
total plus its own ldj. It returns its own ldj alone, or another share.

The rule:
    out = incoming + log|det J of this layer|
    If c more goes in, c more must come out, sample by sample.

How it shows:
    Alone, and started at zero, the layer is right. In a flow the ldj of all layers
    before it is lost, so the likelihood sees the last layer only.

Wrong (-) and right (+):
     from torch import nn

     class Exponential(nn.Module):
         # y = exp(z), added to the total in either direction.
         def forward(self, z, ldj, reverse=False):
             if reverse:
                 return z.log(), ldj - z.log().sum(dim=1)
    -        ldj = z.sum(dim=1)
    +        ldj = ldj + z.sum(dim=1)
             return z.exp(), ldj

What it costs:
    The whole ldj of the layers before this one, divided by D * ln 2.

Question:
    What happens to what the layers before yours have reported?

Easily confused with:
    LDJ119: the total comes back, and nothing is added to it
    LDJ110: the layer's own terms are incomplete
    LDJ205: the total comes back right, but in the caller's own tensor
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.mistakes.rewriting import terms
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        seen = verdict.behaviour.accumulation
        if seen is None or verdict.untracked:
            continue
        if seen.share == 0.0:
            said = "The ldj that is passed in is thrown away."
        elif seen.share is None:
            said = "The ldj that is passed in is mixed over the samples."
        else:
            said = f"The ldj that is passed in comes back times {seen.share:.6g}."
        yield RULE.finding(
            said,
            direction=verdict.direction,
            evidence=(
                f"{seen.into:.6g} more going in changes the total by {seen.out:.6g}",
                "in a flow, every layer before this one loses its share",
            ),
            location=seen.location,
        )


RULE = Rule(
    code="LDJ204",
    name="incoming-ldj-ignored",
    summary="the ldj that is passed in is lost",
    page=Page.read(__doc__),
    match=_match,
    points_at="last statement",
    mend=(terms.added_to_total,),
    beside_the_value=True,
)
