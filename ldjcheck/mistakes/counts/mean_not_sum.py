"""LDJ105: a term is averaged over dimensions instead of summed.

Log-scales are averaged over the dimensions. The log of a product is a sum, so
the average is too small by the number of terms.

The rule:
    log|det J| = sum_i log|s_i|,   not   (1/n) * sum_i log|s_i|

How it shows:
    exact / reported = n, the number of averaged entries, on every sample; in a
    coupling layer n counts the half that moves. At n = 1 nothing shows.

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
    -        ldj = log_s.mean(dim=1)
    +        ldj = log_s.sum(dim=1)
             return y, ldj

What it costs:
    (1 - 1/n) of the term's whole share. The loss still falls, but the density is
    not normalized, and no comparison with another model means anything.

Question:
    The determinant of a diagonal matrix is a product. What does the logarithm make of a
    product?

Easily confused with:
    LDJ101: a constant that was never summed: same numbers, no mean
    LDJ106: the mean or sum runs over the batch as well
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue import Circumstances, Claim, Page, Rule
from ldjcheck.mistakes.catalogue.wording import named, why_per_dim
from ldjcheck.mistakes.engine.kinds import (
    ACTIVE,
    DIMS,
    SUM_FOR_MEAN,
    Use,
    Value,
    ValueEdit,
)
from ldjcheck.mistakes.rewriting import calls
from ldjcheck.mistakes.rewriting.factors import counted
from ldjcheck.records import Explanation, Finding

if TYPE_CHECKING:
    from torch import Tensor


def _is_averaged(e: Explanation, at: Circumstances) -> bool:
    return e.mean_written or not e.constant


def _tell(e: Explanation) -> str:
    if e.mean_written or SUM_FOR_MEAN.holds(e):
        return f"{named(e, start=True)} is averaged over the dimensions, not summed."
    times = "counts once for all dimensions, as in a mean, not once for each"
    return f"{named(e, start=True)} {times}."


def _edits(use: Use) -> Iterator[ValueEdit]:
    if use.operation == "mean":
        yield ValueEdit(SUM_FOR_MEAN, _summed)


def _summed(value: Value) -> Tensor:
    return value.now * (value.argument.numel() // max(1, value.now.numel()))


RULE = Rule(
    code="LDJ105",
    name="mean-not-sum",
    summary="averaged over dims instead of summed",
    page=Page.read(__doc__),
    edits=_edits,
    claims=(
        Claim(SUM_FOR_MEAN, mend=(calls.summed,)),
        Claim(DIMS, when=_is_averaged, mend=(counted,)),
        Claim(ACTIVE, when=_is_averaged, mend=(counted,)),
    ),
    tell=_tell,
    why=why_per_dim,
)


def of_a_density(instead: Finding) -> Finding:
    """Return what is told of a split whose log-density, once summed, integrates to one."""
    return replace(
        instead,
        code=RULE.code,
        name=RULE.name,
        message="The log-density of the dropped part is averaged over its dims, not summed.",
        evidence=instead.evidence[:1],  # its mass: what it is off by, a mean explains
        also_fits=(*instead.also_fits, instead.name),
    )
