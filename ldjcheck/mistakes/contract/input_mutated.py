"""LDJ206: the call changes the input that it is given.

The layer writes into the tensor that it is given, or into a view of it. What
the caller holds as x is no longer x after the call.

The rule:
    x before the call == x after the call
    `x[:, 0] *= 2`, `x.clamp_()` and `x.chunk(2)[1].mul_(2)` write into x itself.

How it shows:
    One call by itself is right. The same batch fed again, a round trip compared
    with x, or a loss that uses x once more, are not. Through views autograd raises.

Wrong (-) and right (+):
     from math import log
     from torch import nn

     class Double(nn.Module):
         # Double the first half of the dims.
         def forward(self, x):
             half = x.shape[1] // 2
    -        x[:, :half] *= 2
    -        return x, x.new_full((len(x),), half * log(2))
    +        y = x.clone()
    +        y[:, :half] *= 2
    +        return y, y.new_full((len(x),), half * log(2))

What it costs:
    Nothing on the first call; whatever the second use of x then means.

Question:
    Call your layer twice on one tensor. Why do the answers differ?

Easily confused with:
    LDJ205: the running total is changed, not the input
    LDJ301: the way back is wrong on inputs that nobody changed
    LDJ209: what the layer itself holds is changed
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        seen = verdict.behaviour.input_changed
        if seen is None:
            continue
        evidence = [f"an entry of the input is {seen.change:.6g} off after the call"]
        if seen.refused:
            evidence.append(
                "autograd refuses this write, so the check ran without gradients, "
                "by differences; training would raise"
            )
        evidence.append("write into a copy: `x = x.clone()`, or do without `x.add_()`")
        yield RULE.finding(
            "The call changes its input tensor in place.",
            direction=verdict.direction,
            evidence=tuple(evidence),
            location=seen.location,
        )


RULE = Rule(
    code="LDJ206",
    name="input-mutated",
    summary="the input is changed by the call",
    page=Page.read(__doc__),
    match=_match,
)
