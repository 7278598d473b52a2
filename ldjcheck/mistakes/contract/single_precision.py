"""LDJ212: the source asks for float32, whatever it is given.

A statement names a dtype, such as `x.float()`, where it could keep the one of
its input. The layer cannot be run in float64 as it stands.

The rule:
    float32 keeps 7 digits: a sum of D = 3072 terms near 10 is known to about 0.01
    `z.to(torch.float32)` loses the rest; `z.to(self.weight.dtype)` does not.

How it shows:
    A note only. The check runs the layer with every wish for float32 turned into
    one for float64; where the layer then raises, it is checked in float32.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Exponential(nn.Module):
         # y = exp(x), of numbers of any kind.
         def forward(self, x):
    -        x = x.to(torch.float32)
    +        x = x.to(torch.get_default_dtype())
             return x.exp(), x.flatten(1).sum(dim=1)

What it costs:
    About 1e-7 of the ldj; more where large terms cancel.

Question:
    In which precision does your layer compute, and who decided that?

Easily confused with:
    LDJ402: rounding is so large that a mistake could hide in it
    LDJ404: the derivative itself is not known, whatever the precision
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    measurement = comparison.measurement
    if measurement.float32_only is not None:
        allowed = [c.tolerance for c in comparison.checks if c.tolerance]
        below = f" below {max(allowed):.1g}" if allowed else ""
        yield RULE.finding(
            f"The layer runs in float32 only; differences{below} cannot be seen.",
            evidence=(f"in float64 it raises {measurement.float32_only}",),
        )
        return
    for verdict in comparison.verdicts:
        if verdict.behaviour.scatters:
            yield RULE.finding(
                f"In float32 rounding moves the ldj by {verdict.behaviour.scatters:.1g}.",
                direction=verdict.direction,
                evidence=(
                    "the map takes rounding so far at these parameters; float64 agrees "
                    "with the exact value",
                ),
            )
    seen = [v.behaviour.cast for v in comparison.verdicts if v.behaviour.cast]
    if not seen or measurement.options.dtype != "float64":
        return
    yield RULE.finding(
        f"{seen[0].dtype} is hard-coded; I ran float64 to see below 1e-5.",
        evidence=("given float64 the layer itself returns no more than that",),
        location=seen[0].location,
    )


RULE = Rule(
    code="LDJ212",
    name="single-precision",
    severity="note",
    summary="float32 is hard-coded",
    page=Page.read(__doc__),
    match=_match,
)
