"""LDJ120: one statement holds the whole difference, and no known mistake fits it.

One statement holds the whole difference, and it is not the log-derivative of
its step; no law in this catalogue says how it came about. Or a network sees
the input of its own output, which the ldj takes for granted that it does not:
a mask lets it pass, a coupling leaks.

The rule:
    A line that computes f needs, in the ldj, sum log|f'| of that very f
    tanh'(x) = 1 - tanh(x)**2,   sigmoid'(x) = s * (1 - s),   exp'(x) = exp(x)

How it shows:
    The line ledger balances everywhere but at one statement. Work the derivative
    out again, or let autograd compute it for one number and compare.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Tanh(nn.Module):
         # Squeeze the real line into (-1, 1).
         def forward(self, x):
             y = torch.tanh(x)
    -        ldj = torch.log(1 - y.abs()).sum(dim=1)
    +        ldj = torch.log(1 - y**2).sum(dim=1)
             return y, ldj

What it costs:
    No formula: it depends on where the data lie.

Question:
    Differentiate each step by hand, and compare with the line that should hold it.

Easily confused with:
    LDJ112: the right formula, at another point
    LDJ114: the right formula, times a number
    LDJ199: the difference is spread over several statements
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.engine.kinds import VALUE
from ldjcheck.records import Explanation, Finding, Location

ALONE = "all else of the ldj agrees; no known mistake explains how this is off"


def _seen(e: Explanation) -> Iterator[str]:
    if e.instead is not None:
        written, meant = e.instead
        yield f"all numbers agree with `{meant}` for `{written}`"


RULE = Rule(
    code="LDJ120",
    name="wrong-derivative",
    summary="a line is not its step's derivative",
    page=Page.read(__doc__),
    claims=(Claim(VALUE),),
    tell="This statement is not the log-derivative of its step.",
    seen=_seen,
    derived=True,
)


def of_a_network(
    instead: Finding, message: str, location: Location | None, evidence: tuple[str, ...]
) -> Finding:
    """Return what is told of a network that sees too much, instead of another finding.

    No edit of the ldj is offered: the determinant of a map that was not meant would hide
    that the network is what must change.
    """
    return RULE.finding(
        message,
        direction=instead.direction,
        location=location or instead.location,
        evidence=evidence,
        bits_per_dim=instead.bits_per_dim,
    )
