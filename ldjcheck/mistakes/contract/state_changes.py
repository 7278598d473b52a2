"""LDJ209: calls change what the layer holds, and its answers with it.

A call changes parameters, buffers or attributes that its own answer depends
on. Once, at the first batch, that is an initialisation and fine; at every call
the layer is another one each time.

The rule:
    f(x), f(x'), f(x): first and last must agree
    if not self.initialized:  self.init(x);  self.initialized.fill_(True)

How it shows:
    The likelihood of a batch depends on which batches came before it, or what the
    optimiser learns is overwritten. As a note: the first call initialises.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class ActNorm(nn.Module):
    -    # Scale each dimension; the first batch says by how much.
    +    # Scale each dimension; training says by how much.
         def __init__(self, dims=4):
             super().__init__()
             self.log_s = nn.Parameter(torch.zeros(dims))
             self.register_buffer("ready", torch.tensor(True))

         def forward(self, x):
    -        if self.ready:
    +        if not self.ready:
                 self.log_s.data = -x.std(dim=0).log()
                 self.ready.fill_(True)
             return x * self.log_s.exp(), self.log_s.sum().expand(len(x))

What it costs:
    No number: training optimises a layer that the next call replaces.

Question:
    What does your layer remember of a call? Print it before and after.

Easily confused with:
    LDJ208: nothing that the layer holds changes, and the answer still does
    LDJ211: the map stays the same, only the ldj lags behind
    LDJ207: the batch is used, and nothing is kept of it
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.mistakes.catalogue import Page, Rule
from ldjcheck.records import Comparison, Finding

_SHOWN = 4  # names; the rest is a number


def _match(comparison: Comparison) -> Iterator[Finding]:
    told: set[tuple[str, ...]] = set()
    for verdict in comparison.verdicts:
        seen = verdict.behaviour.state
        if seen is None or seen.names in told:
            continue
        told.add(seen.names)
        names = _listed(seen.names)
        if not seen.every_call:
            finding = RULE.finding(
                f"The first call sets {names}: the layer initialises itself.",
                evidence=(
                    "later calls leave it alone; it was warmed up for the check",
                ),
            )
            yield replace(finding, severity="note")
            continue
        evidence = ["what training has found is lost"] if seen.learned else []
        if seen.change:
            evidence.append(
                f"the same call again moves the answer by {seen.change:.3g}"
            )
        else:
            evidence.append("it is overwritten from each batch, and the answer uses it")
        if seen.by_mode:
            finding = RULE.finding(
                f"In train mode every call changes {names}, so nothing is proved.",
                direction=verdict.direction,
                evidence=(*evidence, "in eval mode it stays as it is: --mode eval"),
                location=seen.location,
            )
            yield replace(finding, severity="warning")
            continue
        calls = "The first calls change" if seen.settles else "Every call changes"
        yield RULE.finding(
            f"{calls} {names}, and what the layer answers depends on it.",
            direction=verdict.direction,
            evidence=tuple(evidence),
            location=seen.location,
        )


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    more = len(names) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


RULE = Rule(
    code="LDJ209",
    name="state-changes",
    summary="calls change what the layer is",
    page=Page.read(__doc__),
    match=_match,
)
