"""LDJ201: the ldj is right, but does not have the shape (batch,).

One number per sample, and the right one, but not in the shape (batch,).

The rule:
    ldj.shape == (B,)
    (B, 1) + (B,) broadcasts to (B, B): every sample is added to every other.

How it shows:
    Values agree once reshaped. The loss is a mean over B*B numbers, equal to the
    right one in value, so nobody notices until single likelihoods are read.

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
    -        ldj = log_s.sum(dim=1, keepdim=True)
    +        ldj = log_s.sum(dim=1)
             return y, ldj

What it costs:
    Nothing on the mean; any per-sample likelihood, any importance weight and any
    outlier score is wrong.

Question:
    Print the shape of your ldj for a batch of 3. What happens when it is added to one
    of shape (3,)?

Easily confused with:
    LDJ202: more than one number per sample: axes are left to sum
    LDJ106: one number for all samples
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
    if calls.custom is not None and calls.column:
        said = "The log-determinant is a column, by the custom of its source."
        finding = RULE.finding(said, direction=None, evidence=(calls.custom,))
        yield replace(finding, severity="note")
    for verdict in comparison.verdicts:
        if verdict.form is None or not verdict.usable:
            continue
        config, side, _ = verdict.usable[0]
        shape, batch = side.said.ldj_shape or (), config.batch
        way = calls.way(verdict.direction)
        assert way is not None, "it was called"
        if way.spread:
            continue  # one number for many entries, and not their sum: that is LDJ202
        values = "right"
        if verdict.mismatched:
            values = "still wrong, which is a mistake of its own"
        accumulates = calls.accumulates
        if is_of_pairs(comparison, verdict) and not accumulates:
            evidence: tuple[str, ...] = (
                f"({batch}, 1) and ({batch},) add up to ({batch}, {batch}), without an "
                "error: each sample met each other one",
                f"on the diagonal, where it meets itself, its values are {values}",
            )
        elif is_of_pairs(comparison, verdict):
            evidence = (
                "what is added to the incoming total has another shape than it:",
                f"({batch}, 1) and ({batch},) add up to ({batch}, {batch}), without an "
                "error",
                f"once both have one shape its values are {values}",
            )
        elif math.prod(shape) == batch:
            callers = "" if verdict.mismatched else ", and so for a caller that does it"
            evidence = (
                f"once reshaped its values are {values}{callers}",
                f"added to a ({batch},) log-density it gives a ({batch}, {batch}) "
                "matrix, without an error",
            )
        else:
            continue  # more than one entry per sample: that is LDJ202
        wanted = f"({batch},)"
        if shape == (batch,):  # and the layer declares that an event has fewer axes
            wanted = str(tuple(side.x.shape[: side.x.dim() - (way.event_dim or 0)]))
            evidence = (
                f"as one number per sample its values are {values}",
                "if a sample is one event, its domain says so: constraints.real_vector",
            )
        yield RULE.finding(
            f"The log-determinant has shape {shape}, not {wanted}.",
            direction=verdict.direction,
            evidence=evidence,
        )


RULE = Rule(
    code="LDJ201",
    name="wrong-shape",
    summary="right values in the wrong shape",
    page=Page.read(__doc__),
    match=_match,
    points_at="reduction",
    mend=(reductions.one_per_sample,),
)
