"""LDJ107: a logarithm to base 2 or 10 stands where nats are meant.

A logarithm to base 2 or 10 was taken, but densities are in nats.

The rule:
    log|det J| is a natural logarithm: log2(s) = ln(s) / ln 2
    Bits are made at the very end: bits per dim = -log p(x) / (D * ln 2).

How it shows:
    reported / exact (or one term's) is 1/ln 2 = 1.4427 for log2 and 1/ln 10 =
    0.4343 for log10, on every sample and at every shape.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Scale(nn.Module):
         # Multiply each dimension by a learned positive number.
         def __init__(self, dims=4):
             super().__init__()
             self.raw = nn.Parameter(torch.randn(dims))

         def forward(self, x):
             scale = nn.functional.softplus(self.raw)
             y = x * scale
    -        ldj = torch.log2(scale).sum().expand(len(x))
    +        ldj = torch.log(scale).sum().expand(len(x))
             return y, ldj

What it costs:
    With log2, 0.4427 of the term's share too much; with log10, 0.5657 of it too
    little.

Question:
    Which logarithm undoes `exp`, and which one do you take?

Easily confused with:
    LDJ114: the ratio is a plain number such as 2 or 1/2
    LDJ108: there is no logarithm at all
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.catalogue.wording import named
from ldjcheck.mistakes.engine.kinds import LOG_BASE, NATURAL_LOG, Use, ValueEdit
from ldjcheck.mistakes.rewriting import factors
from ldjcheck.records import Explanation


def _tell(e: Explanation) -> str:
    if e.multiplier is not None and e.multiplier.base < 0:
        told = f"must be divided by ln {-e.multiplier.base}"
        return f"{named(e, start=True)} {told}, as nats are to give bits."
    return f"{named(e, start=True)} is not in nats: its logarithm has another base."


def _edits(use: Use) -> Iterator[ValueEdit]:
    if use.operation.startswith(("log2", "log10")):
        yield ValueEdit(NATURAL_LOG, lambda value: value.argument.log())


RULE = Rule(
    code="LDJ107",
    name="wrong-log-base",
    summary="log to base 2 or 10 instead of e",
    page=Page.read(__doc__),
    edits=_edits,
    claims=(
        Claim(NATURAL_LOG, mend=(factors.natural, factors.dropped)),
        Claim(LOG_BASE, mend=(factors.by_log_base,)),
    ),
    tell=_tell,
)
