"""LDJ202: the ldj is not summed over all event axes.

The log-scales are returned one by one instead of summed over the sample.

The rule:
    ldj[b] = sum over all axes but the batch;   `t.flatten(1).sum(dim=1)`

How it shows:
    The shape is (B, D) or (B, H, W); summed over the axes left over it is right.
    With B = D it even broadcasts, silently, along the wrong axis.

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
    -        ldj = log_s
    +        ldj = log_s.sum(dim=1)
             return y, ldj

What it costs:
    A mean over what is left counts 1/D of the layer's share, as if averaged.

Question:
    How many numbers does your layer report for a batch of 3, and how many samples are
    there?

Easily confused with:
    LDJ105: reduced, but by a mean
    LDJ201: one number per sample, in a column
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.mistakes.catalogue.wording import is_of_pairs
from ldjcheck.mistakes.rewriting import reductions
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    calls = comparison.measurement.calls
    if calls.custom is not None and not calls.column:
        said = "The log-determinant has one entry per dim, by the custom of its source."
        finding = RULE.finding(said, direction=None, evidence=(calls.custom,))
        yield replace(finding, severity="note")
    for verdict in comparison.verdicts:
        if verdict.form is None or not verdict.usable:
            continue
        config, side, _ = verdict.usable[0]
        shape = side.said.ldj_shape or ()
        way = calls.way(verdict.direction)
        spread = way is not None and way.spread
        alone = math.prod(shape) == config.batch or is_of_pairs(comparison, verdict)
        if alone and not spread:
            continue  # an entry per sample, or per pair of them: that is LDJ201
        summed = "all its entries"  # which are those of any sample
        if shape[:1] == (config.batch,):
            axes = [str(axis) for axis in range(1, len(shape))]
            summed = f"{'axis' if len(axes) == 1 else 'axes'} {', '.join(axes)}"
        right = "right on every sample"
        if verdict.mismatched:
            right = "still wrong, which is a mistake of its own"
        evidence = f"summed over {summed} it is {right}"
        if not (verdict.mismatched or calls.accumulates):
            evidence += ", and so for a caller that sums it"
        if spread:
            evidence = f"as large as the input, `expand_as`, its sum is {right}"
        yield RULE.finding(
            f"The log-determinant is not summed: its shape is {shape}.",
            direction=verdict.direction,
            evidence=(evidence,),
        )


RULE = Rule(
    code="LDJ202",
    name="not-reduced",
    summary="not summed over all event axes",
    page=Page.read(__doc__),
    match=_match,
    points_at="reduction",
    mend=(reductions.reduced, reductions.where_returned),
)
