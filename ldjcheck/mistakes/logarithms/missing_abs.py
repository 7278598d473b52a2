"""LDJ109: the logarithm of a negative determinant or scale is NaN.

The logarithm is taken of a determinant or a scale that may be negative.

The rule:
    log|det J|, with the bars: volumes have no sign
    `torch.logdet(A)` is NaN where det A < 0; `torch.linalg.slogdet(A)[1]` is
    log|det A|. For scales: `s.abs().log()`.

How it shows:
    NaN wherever the map turns space around, right everywhere else. Half of all
    random matrices have a negative determinant, so it depends on the seed. It
    may come up in the middle of training, when a weight changes sign: a warning,
    where the layer starts right under every seed.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Mix(nn.Module):
         # Mix the dims by a learned matrix that starts as a reversal.
         def __init__(self, dims=3):
             super().__init__()
             self.weight = nn.Parameter(torch.eye(dims).flip(0))

         def forward(self, x):
             y = x @ self.weight
    -        ldj = torch.logdet(self.weight).expand(len(x))
    +        ldj = torch.linalg.slogdet(self.weight)[1].expand(len(x))
             return y, ldj

What it costs:
    Everything: one NaN in a batch makes the loss NaN, and all weights with it.

Question:
    Can what you take the logarithm of be negative? What is a volume then?

Easily confused with:
    LDJ115: the bars stand around the logarithm
    LDJ116: wrong or NaN on a region of inputs
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.engine.kinds import ADD_ABS, Use, Value, ValueEdit
from ldjcheck.mistakes.rewriting import calls
from ldjcheck.records import Comparison, Finding, Severity
from ldjcheck.torch_ops import LOG

if TYPE_CHECKING:
    from torch import Tensor


def _edits(use: Use) -> Iterator[ValueEdit]:
    if use.operation in LOG and not use.finite:
        yield ValueEdit(ADD_ABS, _log_of_abs)


def _log_of_abs(value: Value) -> Tensor:
    inner, name = value.argument, value.node.name.rstrip("_")
    if name == "logdet":
        return inner.slogdet()[1]
    if name == "log1p":
        return (1 + inner).abs().log()
    logarithm: Tensor = getattr(inner.abs(), name)()
    return logarithm


def _match(comparison: Comparison) -> Iterator[Finding]:
    """Yield a warning of a sign that training may turn, where no start is NaN."""
    turns = comparison.measurement.may_turn
    if turns is None:
        return
    finding = RULE.finding(
        "The ldj is NaN once training turns the sign of what its logarithm is taken of.",
        evidence=(
            turns.why,
            "`torch.linalg.slogdet(W)[1]`, or `s.abs().log()`, is right for either sign",
        ),
    )
    severity: Severity = "unproven" if turns.starts is None else "warning"
    yield replace(finding, severity=severity)


RULE = Rule(
    code="LDJ109",
    name="missing-abs",
    summary="NaN: the log of a negative number",
    page=Page.read(__doc__),
    match=_match,
    edits=_edits,
    claims=(Claim(ADD_ABS, mend=(calls.with_abs,)),),
    tell="The logarithm misses an absolute value: it is NaN where its argument is negative.",
)
