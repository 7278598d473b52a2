"""LDJ502: dequantization noise carries a value out of its own cell.

Dequantization adds noise u to whole numbers x, and the way back rounds down.
Here u can be below 0, or reach 1: x + u lies in the cell of a neighbour.

The rule:
    P(x) = integral of p(x + u) over u in [0, 1)
    floor(x + u) = x  only if  0 <= u < 1
    Then the mean over u ~ q of log p(x + u) - log q(u) is at most log P(x).

How it shows:
    The ldj is right. There and back, some values are off by one. Learned noise that
    passes a sigmoid, and is then stretched by 1 / (1 - alpha), leaves by alpha / 2.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Dequantize(nn.Module):
         # Whole numbers 0 to 255 become real numbers in [0, 1).
         def forward(self, x):
    -        z = (x + 1.5 * torch.rand_like(x)) / 256
    -        ldj = torch.full((len(x),), 1.5 / 256).log() * x[0].numel()
    +        z = (x + torch.rand_like(x)) / 256
    +        ldj = torch.full((len(x),), 1 / 256).log() * x[0].numel()
             return z, ldj

         def inverse(self, z):
             ldj = torch.full((len(z),), 256.0).log() * z[0].numel()
             return torch.floor(z * 256), ldj

What it costs:
    The bound on the likelihood of the discrete data no longer holds, by about the
    share of the noise that lies outside.

Question:
    Add the largest noise that you can draw to a 2, and round down. Is it a 2?

Easily confused with:
    LDJ301: the way back is wrong, whatever the noise is
    LDJ114: the noise is scaled, and its log-density does not say so
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    sides = [measured.inverse for measured in comparison.measurement.measured]
    ranges = [r for side in sides if (r := side.round_trip.noise) is not None]
    if not ranges:
        return
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    yield RULE.finding(
        "The dequantization noise leaves [0, 1), so rounding down may miss x by one.",
        direction="forward",
        evidence=(
            f"between x and what the way back rounds there is noise from {low:.7g} to "
            f"{high:.7g}",
            "values of neighbouring levels overlap there, or are counted twice",
        ),
    )


RULE = Rule(
    code="LDJ502",
    name="noise-leaves-range",
    severity="warning",
    summary="dequantization noise leaves [0, 1)",
    page=Page.read(__doc__, shape=(4,)),
    match=_match,
)
