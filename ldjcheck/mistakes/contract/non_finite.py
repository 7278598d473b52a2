"""LDJ213: the ldj is NaN or infinite where its exact value is an ordinary number.

The map is fine here, and so is its exact ldj, but the way in which the layer
computes it overflows, underflows or meets 0/0 on the way.

The rule:
    log prod s = sum log s        log det A = slogdet(A)[1]
    A product of D numbers leaves the range of floats long before its logarithm
    does: 2**-1074 is the smallest number in float64, 2**-149 in float32.

How it shows:
    The ldj is inf, -inf or NaN, at some sizes or inputs only, and right wherever
    it is finite. No sign and no region of inputs explains it (LDJ109, LDJ116).

Wrong (-) and right (+):
     import torch
     from torch import nn

     class ToNanometres(nn.Module):
         # Lengths in metres become lengths in nanometres.
         def forward(self, x):
             scale = torch.full_like(x, 1e9)
    -        ldj = scale.prod(dim=1).log()
    +        ldj = scale.log().sum(dim=1)
             return x * scale, ldj

What it costs:
    Everything: one infinite or NaN loss and all weights are NaN after the next step.

Question:
    Which inputs make your ldj NaN or infinite? What is log(0) there?

Easily confused with:
    LDJ109: the log of a negative number: only orientation makes it NaN
    LDJ116: a whole region of inputs is wrong or NaN
    LDJ304: the exact value is not finite either
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.mistakes.rewriting import calls
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    """Yield an output that is no number, or an ldj that float32 loses.

    An ldj that float64 loses too the diagnosis has to tell.
    """
    fed = comparison.measurement.fed
    for verdict in comparison.verdicts:
        if verdict.no_output and verdict.check.status == "unproven":
            finding = RULE.finding(
                "The way back is infinite where the way there saturates, so nothing is "
                "proved of it.",
                direction=verdict.direction,
                evidence=(
                    "in float64 many x have one y there, and none leads back",
                    "give inputs where it is steeper, with --domain, or leave the way "
                    "back out with --direction forward",
                ),
            )
            yield replace(finding, severity="unproven")
        elif verdict.no_output and not verdict.faults:
            where = "if inputs live elsewhere, say so with --domain"
            if fed:
                where = (
                    "the context was made up: where it lives elsewhere, say so with "
                    f"--context {fed[0].name}=SHAPE:DOMAIN"
                )
            yield RULE.finding(
                "The output is NaN or infinite, so there is no volume to compare.",
                direction=verdict.direction,
                evidence=(where,),
            )
        lost = verdict.behaviour.overflows
        if lost is not None and not verdict.mismatched:
            yield RULE.finding(
                "The log-determinant is not finite in float32, in which it is written.",
                direction=verdict.direction,
                evidence=(lost,),
            )


RULE = Rule(
    code="LDJ213",
    name="non-finite",
    summary="NaN or inf, the exact value finite",
    page=Page.read(__doc__, shape=(40,)),
    match=_match,
    mend=(calls.slogdets,),
    derived=True,
)
