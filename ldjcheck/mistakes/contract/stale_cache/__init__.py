"""LDJ211: the ldj was computed for an earlier call, or for earlier parameters.

The layer keeps a number to save work, and returns it when it is out of date:
the ldj of another input, or of the weights before the last training step.

The rule:
    ldj(x) depends on x and on the parameters of now, on no call before
    A cache needs a key, or is cleared when weights change: what the last call in
    training left is out of date after the step that follows it.

How it shows:
    The first call is right, and so is every test that makes one call. Once the
    weights have moved, or another input came between, map and ldj part ways.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Linear(nn.Module):
         # Multiply by a learned matrix.
         def __init__(self, dims=4):
             super().__init__()
             self.weight = nn.Parameter(2 * torch.eye(dims))
    -        self.logdet = None

         def forward(self, x):
    -        if self.logdet is None:
    -            self.logdet = torch.linalg.slogdet(self.weight)[1]
    -        return x @ self.weight.T, self.logdet.expand(len(x))
    +        logdet = torch.linalg.slogdet(self.weight)[1]
    +        return x @ self.weight.T, logdet.expand(len(x))

What it costs:
    What the parameters have moved the ldj since, divided by D * ln 2.

Question:
    Move the parameters and call again. Which number is still the old one?

Easily confused with:
    LDJ209: the map changes too: it is the layer that is another one
    LDJ120: wrong at the first call already
"""

from collections.abc import Iterator

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.engine.kinds import AS_BUILT
from ldjcheck.mistakes.rewriting import caches
from ldjcheck.records import Comparison, Diagnosis, Explanation, Finding

_MOMENTS = {
    "first call": (
        "The log-determinant of the first call is another one.",
        "that of the first call",
    ),
    "first call in training": (
        "The log-determinant of the first call in training is another one.",
        "that of the first call",
    ),
    "way back": (
        "The log-determinant is another one once the way back has run.",
        "that after it",
    ),
    "call at another input": (
        "The log-determinant is that of the last call, not of the input it is given.",
        "once the layer was called at another input it",
    ),
}


def _match(comparison: Comparison) -> Iterator[Finding]:
    for verdict in comparison.verdicts:
        seen = verdict.behaviour.stale
        if seen is None:
            continue
        if seen.of in _MOMENTS:
            message, then = _MOMENTS[seen.of]
            yield RULE.finding(
                message,
                direction=verdict.direction,
                evidence=(
                    f"same input, same output: {then} "
                    f"is {seen.got:+.6g}, and {seen.fresh:+.6g} otherwise",
                    "an ldj depends on the input and on the parameters of now alone",
                ),
                location=seen.location,
            )
            continue
        what = "output" if seen.output else "log-determinant"
        alike = "same input, same parameters"
        if not seen.output:
            alike += ", same output"
        other = "calls" if seen.of == "earlier call" else "parameters"
        belongs = seen.of.replace("earlier call", "an earlier call")
        yield RULE.finding(
            f"The {what} belongs to {belongs}.",
            direction=verdict.direction,
            evidence=(
                f"{alike}: after other {other} before "
                f"it is {seen.fresh:+.6g} instead of {seen.got:+.6g}",
                "something is kept, and not thrown away when it is out of date",
            ),
            location=seen.location,
        )


def _why(explanation: Explanation, diagnosis: Diagnosis) -> Iterator[str]:
    yield f"with these it is right; it stays {explanation.detail} when they move"


RULE = Rule(
    code="LDJ211",
    name="stale-cache",
    summary="the ldj is that of an earlier call",
    page=Page.read(__doc__),
    match=_match,
    claims=(Claim(AS_BUILT),),
    tell="The log-determinant belongs to the parameters that the layer was built with.",
    why=_why,
    mend=(caches.recomputed,),
    mended_alone=True,
    beside_the_value=True,
)
