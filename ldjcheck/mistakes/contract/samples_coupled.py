"""LDJ207: the samples of a batch influence each other.

What comes out for one sample changes when only the other samples of its batch
do. The Jacobian of one sample is then not the derivative of a map of its own.

The rule:
    dy[i]/dx[j] = 0 for samples i != j, and so no term in ldj[i] from j
    log p(x) must not depend on who else was drawn.

How it shows:
    The likelihood of a sample changes with its companions and the batch size. In
    train mode batch normalisation does it on purpose: then it is a warning.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Normalize(nn.Module):
         # Divide each dimension by its deviation.
         def __init__(self, dims=4):
             super().__init__()
             self.register_buffer("std", torch.full((dims,), 2.0))

         def forward(self, x):
    -        std = x.std(dim=0) + 1
    +        std = self.std
             return x / std, -std.log().sum().expand(len(x))

What it costs:
    No number: the likelihood of one sample is not defined.

Question:
    Change one sample of a batch, and look at the outputs of the others. Do they move?

Easily confused with:
    LDJ106: the map keeps samples apart, and only the ldj is one for all
    LDJ209: the batch is kept as the layer's own state
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.object_graph import reachable
from ldjcheck.records import Comparison, Finding, Layer

_MOMENTS = re.compile(r"\b(mean|var|std|var_mean|std_mean|batch_norm)\(|norm|bn\b")
_LONGEST = 48  # signs of source text within a message


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        seen = verdict.behaviour.coupling
        if seen is None or not seen.output:
            continue
        cause = None if seen.location is None else seen.location.text
        if cause is not None and len(cause) > _LONGEST:
            cause = None
        if seen.by_mode:
            at = "" if cause is None else f" by `{cause}`"
            finding = RULE.finding(
                f"It uses the moments of the batch in training{at}: check it in eval mode."
                if _takes_moments(cause, comparison.measurement.layer)
                else f"In train mode samples influence each other{at}, so nothing is "
                "proved.",
                direction=verdict.direction,
                evidence=(*_size(seen.output), "in eval mode they do not: --mode eval"),
                location=seen.location,
            )
            yield replace(finding, severity="warning")
            continue
        yield RULE.finding(
            "The output of a sample depends on the other samples of the batch.",
            direction=verdict.direction,
            evidence=(
                *_size(seen.output),
                "a sample by itself then has no log-determinant that could be compared",
            ),
            location=seen.location,
        )


def _takes_moments(cause: str | None, layer: Layer) -> bool:
    """Return whether what makes samples meet is their mean or their spread."""
    from torch.nn.modules.batchnorm import _BatchNorm

    if cause is not None:
        return _MOMENTS.search(cause) is not None
    return any(isinstance(item, _BatchNorm) for item in reachable(layer.obj))


def _size(output: float) -> tuple[str, ...]:
    return (f"it moves by up to {output:.3g} when only its companions change",)


RULE = Rule(
    code="LDJ207",
    name="samples-coupled",
    summary="samples influence each other",
    page=Page.read(__doc__),
    match=_match,
)
