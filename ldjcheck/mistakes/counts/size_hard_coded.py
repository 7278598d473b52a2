"""LDJ121: the ldj is right at the shape that was given, and at no other.

A count of dims or pixels is written down as a number. At that size the ldj is
right; the layer takes others, and is wrong there.

The rule:
    y = a * x   =>   log|det J| = D * log|a|
    D is that of the x that comes in:   x[0].numel()

How it shows:
    Right at the shape that was asked for, off by a multiple of how much the size
    differs at others. A warning, and only where --shape names a shape: without, a
    size that nothing in the layer speaks of is as good as any other.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Scale(nn.Module):
         # Scale all dims by one learned number.
         def __init__(self):
             super().__init__()
             self.log_a = nn.Parameter(torch.zeros(1))

         def forward(self, x):
             y = x * self.log_a.exp()
    -        ldj = 6 * self.log_a.expand(len(x))
    +        ldj = x[0].numel() * self.log_a.expand(len(x))
             return y, ldj

What it costs:
    Nothing at this size; at another D, (D - 6) log a / (D ln 2).

Question:
    Try the layer at another size. Which number in it knows the old one?

Easily confused with:
    LDJ101: the count is missing, so the ldj is wrong at this shape too
    LDJ103: a count is there, and it is that of something else
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    bound = comparison.measurement.bound
    if bound is None:
        return
    dims = " x ".join(map(str, bound.shape))
    told = f"right at {dims} dims"
    if bound.count is not None:
        told += f"; the count {bound.count} is written as a number"
    off = "it has no value for each sample"
    if bound.difference is not None:
        off = f"it is off by {bound.difference:+.6g}"
    yield RULE.finding(
        f"The log-determinant is bound to one size: {told}.",
        direction=bound.direction,
        evidence=(
            f"at shape {bound.other}, with the same parameters, {off}",
            "`x[0].numel()`, or sizes of x.shape, would count for every shape",
        ),
        location=bound.location,
    )


RULE = Rule(
    code="LDJ121",
    name="size-hard-coded",
    severity="warning",
    summary="right at the given shape alone",
    page=Page.read(__doc__, shape=(6,)),
    match=_match,
    leaves_open="other sizes disagree",
)
