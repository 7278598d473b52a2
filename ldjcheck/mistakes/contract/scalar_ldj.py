"""LDJ203: one number is returned for the whole batch, and it is right.

The volume changes alike for all samples, and the layer returns that one number
instead of one for each sample. Nothing is wrong with it.

The rule:
    y = x * exp(a)   =>   log|det J| = sum(a), whatever x is
    A number adds to a (B,) total by broadcasting: every sample gets it.

How it shows:
    Reported and exact agree on every sample. A note only: some code that takes
    layers apart (`ldj.shape[0]`, `torch.stack`, `ldj[mask]`) expects (B,).

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Affine(nn.Module):
         # Scale and shift each dimension.
         def __init__(self, dims=4):
             super().__init__()
             self.log_s = nn.Parameter(torch.zeros(dims))
             self.t = nn.Parameter(torch.zeros(dims))

         def forward(self, x):
             y = x * self.log_s.exp() + self.t
    -        return y, self.log_s.sum()
    +        return y, self.log_s.sum().expand(len(x))

What it costs:
    Nothing.

Question:
    For a batch of 3, how many numbers come back?

Easily confused with:
    LDJ106: one number for all samples that is wrong: their sum or mean
    LDJ201: one number per sample, in another shape than (B,)
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    if comparison.measurement.calls.one_number:
        return
    found = []
    for verdict in comparison.verdicts:
        if verdict.mismatched or verdict.untracked or not verdict.usable:
            continue
        config, side, _ = verdict.usable[0]
        if side.said.ldj is not None and side.said.ldj_shape in ((), (1,)):
            found.append((verdict.direction, side.said.ldj_shape, config.batch))
    if not found or found[0][1:] == ((1,), 1):
        return
    _, shape, batch = found[0]
    yield RULE.finding(
        f"The log-determinant is one number, of shape {shape}, not one per sample.",
        evidence=(
            f"right for every sample: {', '.join(way for way, *_ in found)}",
            f"`ldj.expand({batch})` or a sum per sample would say so in its shape",
        ),
    )


RULE = Rule(
    code="LDJ203",
    name="scalar-ldj",
    severity="note",
    summary="one right number for all samples",
    page=Page.read(__doc__),
    match=_match,
)
