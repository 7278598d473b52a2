"""LDJ306: the way back solves for x, and stops near it; the ldj is right both ways.

The way back has no formula: it halves an interval or goes on step by step, and
stops when it is near enough. Nothing is wrong with it, or with the ldj.

The rule:
    x* = inverse(f(x)) with |x* - x| <= tol,   ldj_inverse = -log|det J of f|(x*)
    A residual of tol moves the ldj by about tol as well, once for each dim.

How it shows:
    The round trip misses by far more than rounding explains, by at most 1e-4, and
    both directions report the exact value. Where the residual is so large that a
    mistake of the ldj could hide in it, the status is unproven instead.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Bulge(nn.Module):
         # Push away from zero; the way back has no formula.
         def __init__(self, dims=4):
             super().__init__()
             self.a = nn.Parameter(torch.zeros(dims))

         def bulge(self, x):
             return x + 0.5 * torch.sigmoid(self.a) * torch.tanh(x)

         def forward(self, x):
             slope = 1 + 0.5 * torch.sigmoid(self.a) / x.cosh() ** 2
             return self.bulge(x), slope.log().sum(dim=-1)

         def inverse(self, y):
             x = y
    -        for _ in range(12):
    +        for _ in range(60):
                 x = y - (self.bulge(x) - x)
             return x, -self.forward(x)[1]

What it costs:
    Nothing. Samples are off by the residual; take more steps where that is seen.

Question:
    How near does your way back come, and when does it stop?

Easily confused with:
    LDJ301: it lands further away than 1e-4, or its ldj is wrong as well
    LDJ402: rounding, and no solver, hides what the ldj is
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding, Sides


def _match(comparison: Comparison) -> Iterator[Finding]:
    proved = comparison.inverse.check.status == "pass"
    right = comparison.forward.check.status == "pass"
    if comparison.round_trip.status != "pass" or not right:
        return
    if not (proved or comparison.inverse.check.status == "not-available"):
        return
    left = [
        each.inverse.round_trip.residual
        for each in comparison.measurement.measured
        if _is_solved(each)
    ]
    if not left:
        return
    yield RULE.finding(
        "The inverse is a solver: it lands near x, and the ldj is right there.",
        direction="inverse",
        evidence=(
            f"largest |inverse(f(x)) - x|: {max(left):.1g}, where the solver stops",
            "the inverse reports minus the exact value at the point where it lands"
            if proved
            else "the inverse reports no ldj of its own",
        ),
    )


def _is_solved(sides: Sides) -> bool:
    """Return whether a way back is off by what is left of a solver's steps."""
    trip = sides.inverse.round_trip
    return trip.misses or (trip.nears and not sides.forward.exact.approximate)


RULE = Rule(
    code="LDJ306",
    name="inverse-approximate",
    severity="note",
    summary="the inverse solves, and lands nearby",
    page=Page.read(__doc__),
    match=_match,
)
