"""LDJ501: a split layer adds a log-density of what it drops, and it is none.

A multi-scale flow splits dims off and adds their log-density under a prior, at
once, to the ldj. Here the number that is added is no log-density of them: a
constant or a scale is missing, it is averaged, or it is taken of the kept half.

The rule:
    x = (kept, dropped)     ldj += log p(dropped | kept)
    integral of p(u | kept) du = 1   for whatever is kept

How it shows:
    The integral of exp(ldj) over the dropped dims is not 1. It is taken dim by
    dim, so the prior may depend on the kept part in any way.

Wrong (-) and right (+):
     import math
     import torch
     from torch import nn

     class Split(nn.Module):
         # Drop the second half, with a learned normal density.
         def __init__(self):
             super().__init__()
             self.net = nn.Linear(2, 4)

         def forward(self, x):
             kept, dropped = x.chunk(2, dim=1)
             mean, log_std = self.net(kept).chunk(2, dim=1)
             z = (dropped - mean) * torch.exp(-log_std)
    -        log_p = -0.5 * z**2 - 0.5 * math.log(2 * math.pi)
    +        log_p = -0.5 * z**2 - log_std - 0.5 * math.log(2 * math.pi)
             return kept, log_p.sum(dim=1)

What it costs:
    The logarithm of the integral, spread over all dims: the model promises more or
    less than all the probability there is.

Question:
    Your split drops some numbers. Under which density, and does it integrate to 1?

Easily confused with:
    LDJ305: the note that tells of the dropped dims
    LDJ110: a term of a determinant is missing, where there is one
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding, Location, Verdict
from ldjcheck.records.called import BaseMass

_OF_BOTH = "it takes off what forward adds at the same point, which is no density"
_OF_ONE = "it is drawn by one density, and counted by another on the way there"


_ALONE = (
    "what is returned is the log-determinant of x to z, and no more:",
    "so it stays the same wherever z is, and is no density",
)
_LACKING = (
    "less log p(z) of the kept dims, it is the log-determinant of x to all dims:",
    "so it stays the same however far the others are moved, and is no density",
)


def _match(comparison: Comparison) -> Iterator[Finding]:
    for base in comparison.measurement.measured[0].forward.said.bases:
        yield replace(_of_a_base(base), location=base.at)
    if comparison.measurement.calls.lacks_density:
        if comparison.forward.check.status == "fail":
            first = comparison.measurement.measured[0].forward
            alone = first.said.left == first.dims
            what = "z" if alone else "the dims that are split off"
            finding = RULE.finding(
                f"The density leaves out the log-density of {what}.",
                direction="forward",
                evidence=_ALONE if alone else _LACKING,
            )
            yield replace(finding, location=first.said.left_at)
        return
    both = comparison.forward.check.status == "fail"
    for verdict in comparison.verdicts:
        if verdict.instead != "split" or verdict.check.status != "fail":
            continue
        back = verdict.direction == "inverse"
        finding = RULE.finding(
            "The log-determinant is not minus the log-density of the part made up."
            if back
            else "The log-determinant is not a log-density of the part that is dropped.",
            direction=verdict.direction,
            evidence=(_OF_BOTH if both else _OF_ONE,)
            if back
            else tuple(_evidence(verdict)),
        )
        yield replace(finding, location=verdict.ldj_at)


def _of_a_base(base: BaseMass) -> Finding:
    """Return what a base of the model's own is, whose answer is no log-density."""
    if base.log is None:
        finding = RULE.finding(
            f"Whether `{base.name}` is a log-density is not known.",
            direction="forward",
            evidence=(
                "exp of it must integrate to 1, and no integral of it could be taken:",
                "it is no sum over its dims, nor quadratic, nor a mixture of such",
            ),
        )
        return replace(finding, severity="unproven")
    logs = base.log.tolist()
    if base.unread:
        of = f"{base.unread} of the {base.dims} dims"
        return RULE.finding(
            f"The log-density leaves out {of} of z that the flow returns.",
            direction="forward",
            evidence=("it stays the same however far they are moved: it has no mass",),
        )
    if math.isinf(logs[0]):
        whose = "The density" if base.at is None else f"`{base.name}`"
        return RULE.finding(
            f"{whose} counts what the flow goes on with, and nothing what it drops.",
            direction="forward",
            evidence=(
                "what it is asked about is made into the rest of z, which is counted again:",
                "so the density stays the same however far the dropped dims are moved",
            ),
        )
    evidence = [f"exp of it integrates to exp({logs[0]:.4g}), and not to 1"]
    if all(abs(log - logs[0]) < max(1e-3, 2 * base.error) for log in logs):
        evidence += _per_dim(logs[0], base.dims, "dim")
    else:
        evidence.append("it is another number for each sample: a scale is not counted")
    return RULE.finding(
        f"`{base.name}` is not the log-density of what it is asked about.",
        direction="forward",
        evidence=tuple(evidence),
    )


def of_mass(name: str, log: float, location: Location | None) -> Finding:
    """Return what is told of a density of x that adds up to more than 1."""
    return RULE.finding(
        f"`{name}` is no log-density: over all x it integrates to more than 1.",
        direction="forward",
        evidence=(
            f"exp of it integrates to {math.exp(log):.4g}, whatever its base is",
            "its call is right by itself, and so is the ldj of x to z",
        ),
        location=location,
    )


def _per_dim(total: float, dims: int, of: str) -> Iterator[str]:
    yield f"that is {total / dims:+.4g} nats for each {of}, in every sample"
    if abs(abs(total / dims) - 0.5 * math.log(2 * math.pi)) < 1e-3:
        yield "log(2 pi) / 2 = 0.9189: the constant of the normal density"


def _evidence(verdict: Verdict) -> Iterator[str]:
    differences = [
        s.difference for s in verdict.check.samples if s.difference is not None
    ]
    if not differences:
        return
    assert verdict.resized is not None
    dropped = verdict.resized[0] - verdict.resized[1]
    total = differences[0]
    shown = f"exp({total:.4g})" if abs(total) < 1e6 else "no finite number"
    yield f"exp(ldj) integrates to {shown} over the {dropped} dropped dims, and not to 1"
    if not math.isfinite(total):
        yield "it grows towards the ends, as the log of one over a density does"
    elif all(abs(d - total) < 1e-3 for d in differences):
        yield from _per_dim(total, dropped, "dropped dim")
    else:
        yield "it depends on what is kept: a scale, or the wrong half, is in the density"


RULE = Rule(
    code="LDJ501",
    name="split-prior-wrong",
    summary="no log-density of what a split drops",
    page=Page.read(__doc__, shape=(4,)),
    match=_match,
)
