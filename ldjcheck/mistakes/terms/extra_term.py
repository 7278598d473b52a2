"""LDJ111: the ldj has a term that no step of the map accounts for.

The ldj has a term that no step of the map accounts for.

The rule:
    y = x + t   =>   log|det J| = 0,   whatever t depends on outside x_i
    Shifts, permutations and reshapes keep volume.

How it shows:
    reported - exact is the term itself. In an additive coupling layer the exact
    value is 0 on every sample.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class AdditiveCoupling(nn.Module):
         # Shift one half of the dims by what the other half says.
         def __init__(self, dims=4):
             super().__init__()
             self.net = nn.Linear(dims // 2, dims // 2)

         def forward(self, x):
             a, b = x.chunk(2, dim=1)
             shift = self.net(a)
             y = torch.cat([a, b + shift], dim=1)
    -        return y, shift.sum(dim=1)
    +        return y, torch.zeros(len(x))

What it costs:
    The term's share. Training then pays the layer for shifting its inputs.

Question:
    Name, for each term of your ldj, the step of the map that it belongs to. Which one
    belongs to none?

Easily confused with:
    LDJ114: the term belongs there, but not twice
    LDJ118: the extra term is the number 1
    LDJ113: the term is right, for too many dimensions
"""

from dataclasses import replace

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.catalogue.wording import named
from ldjcheck.mistakes.engine.kinds import UNNEEDED
from ldjcheck.mistakes.rewriting import terms
from ldjcheck.records import Explanation, Finding, Fix, Location


def _tell(e: Explanation) -> str:
    return f"The log-determinant has a term too many: {named(e)}."


RULE = Rule(
    code="LDJ111",
    name="extra-term",
    summary="a term that belongs to no step",
    page=Page.read(__doc__),
    claims=(Claim(UNNEEDED, mend=(terms.taken_away,), difference="{term}"),),
    tell=_tell,
    derived=True,
)


def of_another_output(
    instead: Finding,
    made_by: str,
    location: Location | None,
    *,
    of_density: bool,
    fix: Fix | None,
) -> Finding:
    """Return what is told where x itself comes out, and the ldj is that of another value.

    `made_by` is the source of what makes that value.
    """
    message = "What goes in comes out, and the log-determinant is that of"
    if of_density:
        message = "The base density is asked about the input itself, not about"
    return replace(
        RULE.finding(
            f"{message} what `{made_by}` makes of it.",
            direction=instead.direction,
            location=location or instead.location,
            evidence=(
                f"reported = log|det| of the map from the input to `{made_by}`",
                "of the map from the input to itself log|det J| is 0",
            ),
            bits_per_dim=instead.bits_per_dim,
        ),
        fix=fix,
    )
