"""LDJ106: the ldj is summed or averaged over the batch as well."""

from __future__ import annotations

from ldjcheck.mistakes.catalogue.claim import Claim
from ldjcheck.mistakes.catalogue.page import Page
from ldjcheck.mistakes.catalogue.rule import Rule
from ldjcheck.mistakes.engine.kinds import BATCH_TOTAL, EVENTS_ONLY
from ldjcheck.mistakes.rewriting import reductions

PAGE = Page(
    what="""
        The sum runs over every axis, the batch included, so that each sample is told
        the ldj of all of them together.
        """,
    rule="""
        ldj[b] = sum over event axes of log|s[b, ...]|,   one number per sample
        `t.sum()` sums over b too; `t.flatten(1).sum(1)` does not.
        """,
    shows="""
        All samples report one number: the sum (or mean) of the exact ones. It changes
        with the batch size, and with the companions of a sample.
        """,
    wrong="""
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
                ldj = log_s.sum()
                return y, ldj
        """,
    right="""
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
                ldj = log_s.sum(dim=1)
                return y, ldj
        """,
    costs="""
        A sum is B times too large on average. A mean is right on average, so the loss
        looks healthy, but no single likelihood is right.
        """,
    confused=(
        ("LDJ103", "a constant times a count that includes the batch"),
        ("LDJ202", "too few axes are summed, not too many"),
    ),
)

RULE = Rule(
    code="LDJ106",
    name="batch-reduced",
    severity="error",
    summary="the batch is summed or averaged too",
    page=PAGE,
    claims=(
        Claim(EVENTS_ONLY, mend=(reductions.over_events,)),
        Claim(BATCH_TOTAL, mend=(reductions.over_events,)),
    ),
    tell="The log-determinant is reduced over the batch too: one number for all samples.",
)
