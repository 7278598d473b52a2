"""LDJ113: dimensions that the mask leaves alone are counted too."""

from __future__ import annotations

from ldjcheck.mistakes.catalogue.claim import Claim
from ldjcheck.mistakes.catalogue.page import Page
from ldjcheck.mistakes.catalogue.rule import Rule
from ldjcheck.mistakes.engine.kinds import LEAVE_IDLE_OUT
from ldjcheck.mistakes.rewriting import factors, points

PAGE = Page(
    what="A mask leaves some dimensions alone, but their log-scales are summed too.",
    rule="""
        y = m*x + (1 - m)*(x*exp(s) + t)   =>   log|det J| = sum (1 - m) * s
        Where m = 1 the map is the identity and its derivative is 1, log 1 = 0. The
        network's output there is some number that nobody uses.
        """,
    shows="""
        reported - exact = the sum of s over the dimensions that do not move. Behind a
        network that starts at zero it is 0 until parameters move.
        """,
    wrong="""
        import torch
        from torch import nn

        class MaskedCoupling(nn.Module):
            # Move the dims where the mask is 0; the others decide how.
            def __init__(self):
                super().__init__()
                self.mask = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0])
                self.net = nn.Linear(5, 10)

            def forward(self, x):
                log_s, t = self.net(x * self.mask).chunk(2, dim=1)
                moved = x * log_s.exp() + t
                y = self.mask * x + (1 - self.mask) * moved
                return y, log_s.sum(dim=1)
        """,
    right="""
        import torch
        from torch import nn

        class MaskedCoupling(nn.Module):
            # Move the dims where the mask is 0; the others decide how.
            def __init__(self):
                super().__init__()
                self.mask = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0])
                self.net = nn.Linear(5, 10)

            def forward(self, x):
                log_s, t = self.net(x * self.mask).chunk(2, dim=1)
                moved = x * log_s.exp() + t
                y = self.mask * x + (1 - self.mask) * moved
                return y, ((1 - self.mask) * log_s).sum(dim=1)
        """,
    costs="""
        Those log-scales' share. Training can raise them without limit: they pay in
        the loss and change nothing in the map.
        """,
    confused=(
        ("LDJ103", "a constant is multiplied by all dims, not by those that move"),
        ("LDJ111", "the term belongs to no step"),
    ),
)

RULE = Rule(
    code="LDJ113",
    name="masked-dims-counted",
    severity="error",
    summary="dims that the mask keeps are counted",
    page=PAGE,
    claims=(Claim(LEAVE_IDLE_OUT, mend=(points.masked, factors.dropped)),),
    tell="The log-determinant also counts the dimensions that the map leaves alone.",
)
