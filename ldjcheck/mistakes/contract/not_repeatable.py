"""LDJ208: the same call gives another answer.

Two calls with one input and one random state give two answers; or a random
number enters that is not the noise which the map transforms, such as a dropout
in the conditioner.

The rule:
    y and ldj are functions of x, and of the noise that dequantization adds
    F.dropout(h) drops at every call; nn.Dropout(p)(h) in train mode only.

How it shows:
    Each call by itself may be right for the map that it happened to be. The way
    back draws anew and leads elsewhere, and a likelihood is never the same twice.

Wrong (-) and right (+):
     import torch
     import torch.nn.functional as F
     from torch import nn

     class Coupling(nn.Module):
         # Scale and shift one half of the dims by what the other half says.
         def __init__(self, dims=4):
             super().__init__()
             self.net = nn.Linear(dims // 2, dims)

         def forward(self, x):
             a, b = x.chunk(2, dim=1)
    -        h = F.dropout(torch.tanh(a))
    +        h = F.dropout(torch.tanh(a), training=self.training)
             log_s, t = self.net(h).chunk(2, dim=1)
             return torch.cat([a, b * log_s.exp() + t], dim=1), log_s.sum(dim=1)

What it costs:
    No number: the likelihood of a sample is another one at each call.

Question:
    Set the same seed and call twice. What in your layer is drawn anew, and is it part
    of the map?

Easily confused with:
    LDJ209: the answers differ because the layer changed what it holds
    LDJ207: the answer depends on the companions, and on nothing random
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        seen = verdict.behaviour.unrepeatable
        if seen is None:
            continue
        moved = f"the {seen.what} moves by up to {seen.change:.3g}"
        if not seen.reseeded:
            yield RULE.finding(
                f"The same call with the same random state gives another {seen.what}.",
                direction=verdict.direction,
                evidence=(
                    moved,
                    "nothing that the layer holds changed: a generator of its own, "
                    "a clock, or a value outside of it must have",
                ),
                location=seen.location,
            )
            continue
        finding = RULE.finding(
            f"The {seen.what} depends on random numbers that are no noise of the map.",
            direction=verdict.direction,
            evidence=(
                f"with another random state {moved}",
                "the way back cannot know what was drawn, as with a dropout that is on",
            ),
            location=seen.location,
        )
        if seen.by_mode:
            calm = "in eval mode it does not: --mode eval"
            finding = replace(
                finding, severity="warning", evidence=(*finding.evidence, calm)
            )
        yield finding


RULE = Rule(
    code="LDJ208",
    name="not-repeatable",
    summary="the same call gives another answer",
    page=Page.read(__doc__),
    match=_match,
)
