"""LDJ205: the ldj that is passed in is changed in place.

`ldj += term` adds to the caller's own tensor. The total that comes back is
right, and so is the tensor that the caller passed, which is not what it was.

The rule:
    ldj = ldj + term     a new tensor; the caller's stays as it is
    ldj += term          the caller's own tensor is changed

How it shows:
    A note only: most flows pass the total on and forget it. It bites who starts
    two runs from one `torch.zeros(B)`, or passes a leaf that requires gradients.

Wrong (-) and right (+):
     from torch import nn

     class Exponential(nn.Module):
         # y = exp(z), added to the total in either direction.
         def forward(self, z, ldj, reverse=False):
             if reverse:
                 return z.log(), ldj - z.log().sum(dim=1)
    -        ldj += z.sum(dim=1)
    +        ldj = ldj + z.sum(dim=1)
             return z.exp(), ldj

What it costs:
    Nothing, as long as nobody uses the old total again.

Question:
    Look at the tensor that was passed in, before and after the call. Is it the same?

Easily confused with:
    LDJ204: the total that comes back is wrong
    LDJ206: the input is changed, not the total
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    changed = [
        (verdict.direction, seen)
        for verdict in comparison.verdicts
        if (seen := verdict.behaviour.incoming_changed) is not None
    ]
    if not changed:
        return
    yield RULE.finding(
        "The ldj is changed in place; the tensor that you pass is altered.",
        evidence=(
            f"seen in: {', '.join(direction for direction, _ in changed)}",
            "the total that is returned is right; a caller who keeps the old one is not",
        ),
        location=changed[0][1].location,
    )


RULE = Rule(
    code="LDJ205",
    name="incoming-ldj-mutated",
    severity="note",
    summary="the caller's total grows in place",
    page=Page.read(__doc__),
    match=_match,
)
