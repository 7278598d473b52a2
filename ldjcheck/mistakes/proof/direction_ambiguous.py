"""LDJ403: both directions report the other one's ldj, which may be what is meant.

The ldj has the wrong sign both ways (LDJ104). Numbers cannot tell a slip that
was made twice from a layer whose ldj is meant to be that of the other
direction, or that hands back what is to be subtracted from a log-density.

The rule:
    log|det of the inverse at y| = -log|det of the map at x|
    So r = -e in both directions is the right pair of numbers, exchanged.

How it shows:
    A note beside two findings of LDJ104. The status is fail: unless the layer says
    otherwise, an ldj belongs to the direction that was run. Where a function beside it
    adds the number to the log-density of what goes in, it is what was meant: a pass.

For example:
    import torch
    from torch import nn

    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.tensor([0.5, -0.2, 1.0]))

        def forward(self, x):
            return x * self.a.exp(), -self.a.sum().expand(len(x))

        def inverse(self, y):
            return y * torch.exp(-self.a), self.a.sum().expand(len(y))

Run:
    ldjcheck flow.py:Scale

You see:
    flow.py:Scale
    ...
    note LDJ403: Both directions report the negative of their ldj, as if each
    ...

What to do:
    Decide what the number is. If it is added to log p of the output, negate it. If
    the layer keeps a log-density instead, name that argument logp, or declare the
    convention with `--convention`.

What it costs:
    As LDJ104, if it is a mistake; nothing, if the caller subtracts.

Question:
    Which of the two directions does your number belong to?

Easily confused with:
    LDJ104: the finding that it stands beside
    LDJ302: only the way back is turned: it repeats the forward ldj
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding, Verdict


def _match(comparison: Comparison) -> Iterator[Finding]:
    if all(_is_turned(verdict) for verdict in comparison.verdicts):
        yield RULE.finding(
            "Both directions report the negative of their ldj, as if each meant the other.",
            evidence=(
                "if the total is a log-density that the ldj reduces, call it logp: a",
                "layer f(x, logp, reverse=False) is read that way",
                "otherwise negate the ldj in both directions",
            ),
        )


def _is_turned(verdict: Verdict) -> bool:
    """Return whether reported = -exact on all samples, and that is no coincidence."""
    if not verdict.mismatched or verdict.faults or verdict.flat or not verdict.usable:
        return False
    for _, side, good in verdict.usable:
        if (
            side.said.ldj is None
            or side.exact.ldj is None
            or side.exact.allowed is None
        ):
            return False
        off = (side.said.ldj + side.exact.ldj).abs() > side.exact.allowed
        if bool((off | ~side.said.ldj.isfinite())[good].any()):
            return False
    return True


def of_a_change(why: str) -> Finding:
    """Return what is told of a number that is right with its sign turned, and so meant."""
    return RULE.finding(
        "What is reported is the change of the log-density: the negative of the ldj.",
        direction="forward",
        evidence=(why,),
    )


RULE = Rule(
    code="LDJ403",
    name="direction-ambiguous",
    severity="note",
    summary="the sign is turned both ways",
    page=Page.read(__doc__),
    match=_match,
)
