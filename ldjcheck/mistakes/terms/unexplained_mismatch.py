"""LDJ199: the numbers do not agree, or the contract is broken, and no rule says why.

The ldj is wrong, that is proved, and none of the known mistakes explains it on
every input and shape that was tried. No name is better than a wrong one.

The rule:
    log|det(I + A)| = tr A - tr A**2 / 2 + tr A**3 / 3 - ...
    Two terms of it, as below, are an approximation, and this is a check of
    equality. No factor, sign or term repairs them.

How it shows:
    reported and exact differ, by no pattern. Look at the line ledger, check the
    sublayers one by one (`flow.py:Flow().layers[2]`), and try small shapes.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Residual(nn.Module):
         # Add a small bend; the ldj is a power series of its Jacobian.
         def __init__(self, dims=3):
             super().__init__()
             self.weight = nn.Parameter(torch.eye(dims) / 2)

         def forward(self, x):
             h = torch.tanh(x @ self.weight) / 2
             bend = self.weight.T * (0.5 - 2 * h**2)[:, :, None]
    -        first = bend.diagonal(dim1=1, dim2=2).sum(1)
    -        second = (bend @ bend).diagonal(dim1=1, dim2=2).sum(1)
    -        ldj = first - second / 2
    +        ldj = torch.linalg.slogdet(torch.eye(x.shape[1]) + bend)[1]
             return x + h, ldj

What it costs:
    What the report says for your layer; there is no formula.

Question:
    Compare your ldj with that of `torch.autograd.functional.jacobian` on an input of
    two entries. How does the difference change with the input?

Easily confused with:
    LDJ120: one statement holds the whole difference
    LDJ402: the exact value itself is not known well enough
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    """Yield what breaks the contract, or has no log-determinant at all.

    A value that merely disagrees is left to the diagnosis.
    """
    for verdict in comparison.verdicts:
        if verdict.faults:
            first = verdict.faults[0]
            yield RULE.finding(
                f"{first[:1].upper()}{first[1:]}.",
                direction=verdict.direction,
                evidence=verdict.faults[1:],
            )


RULE = Rule(
    code="LDJ199",
    name="unexplained-mismatch",
    summary="wrong, and no known mistake explains",
    page=Page.read(__doc__),
    match=_match,
    derived=True,
)
