"""LDJ117: a small number inside a logarithm shifts the ldj.

A small number keeps a logarithm from being infinite, and shifts it
everywhere else. Below 1e-4 nats in all this is a note, and the layer passes.

The rule:
    log(s + eps) = log s + log(1 + eps/s)   which is about   log s + eps/s
    If the map scales by s + eps as well, all is right: put eps in both.

How it shows:
    exp(reported) - exp(exact), per element, is the same small number. The smaller
    the scale, the larger the difference.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Gate(nn.Module):
         # Scale one half of the dims by a gate that the other half sets.
         def __init__(self, dims=4):
             super().__init__()
             self.net = nn.Linear(dims // 2, dims // 2)

         def forward(self, x):
             a, b = x.chunk(2, dim=1)
             gate = torch.sigmoid(self.net(a))
             y = torch.cat([a, b * gate], dim=1)
    -        ldj = torch.log(gate + 1e-3).sum(dim=1)
    +        ldj = torch.log(gate).sum(dim=1)
             return y, ldj

What it costs:
    The mean of eps / (s * ln 2): little at s = 1, everything where s nears 0.

Question:
    A small number keeps your logarithm finite. Does the map know of it as well?

Easily confused with:
    LDJ111: a constant term of its own, outside the log
    LDJ110: a constant factor of the map is missing in the ldj
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.engine.kinds import NUMBER_IN_LOG, Use, ValueEdit
from ldjcheck.mistakes.rewriting import terms
from ldjcheck.records import Explanation

if TYPE_CHECKING:
    from ldjcheck.mistakes.engine.case import Case


def _edits(use: Use) -> Iterator[ValueEdit]:
    if use.is_number and not use.linear and use.user in use.traces[0].logged:
        yield ValueEdit(NUMBER_IN_LOG, lambda value: value.now.new_zeros(()))


def _explanations(case: Case, found: Sequence[Explanation]) -> Iterator[Explanation]:
    from ldjcheck.mistakes.logarithms.eps_inside_log.guards import guard_numbers

    return guard_numbers(case)


RULE = Rule(
    code="LDJ117",
    name="eps-inside-log",
    summary="a small number inside a log",
    page=Page.read(__doc__),
    edits=_edits,
    explanations=_explanations,
    claims=(Claim(NUMBER_IN_LOG, mend=(terms.shorter_sums,)),),
    tell="A small number inside the logarithm shifts the log-determinant.",
    harmless_below=1e-4,  # it guards a logarithm, and costs next to nothing
)
