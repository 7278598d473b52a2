"""LDJ106: the ldj is summed or averaged over the batch as well.

The sum runs over every axis, the batch included, so that each sample is told
the ldj of all of them together.

The rule:
    ldj[b] = sum over event axes of log|s[b, ...]|,   one number per sample
    `t.sum()` sums over b too; `t.flatten(1).sum(1)` does not.

How it shows:
    All samples report one number: the sum (or mean) of the exact ones. It changes
    with the batch size, and with the companions of a sample.

Wrong (-) and right (+):
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
    -        ldj = log_s.sum()
    +        ldj = log_s.sum(dim=1)
             return y, ldj

What it costs:
    A sum is B times too large on average. A mean is right on average, so the loss
    looks healthy, but no single likelihood is right.

Question:
    Put one more sample into the batch. Should the ldj of the others change?

Easily confused with:
    LDJ103: a constant times a count of all entries, x.numel()
    LDJ202: too few axes are summed, not too many
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.engine import kinds
from ldjcheck.mistakes.engine.closeness import is_constant, same, varies
from ldjcheck.mistakes.engine.kinds import Term, Use, Value, ValueEdit, WholeLaw
from ldjcheck.mistakes.rewriting import factors, reductions
from ldjcheck.records import Explanation, Multiplier
from ldjcheck.torch_ops import REDUCE

if TYPE_CHECKING:
    from torch import Tensor

    from ldjcheck.mistakes.engine.case import Case


_ONE_OF_BATCH = Multiplier(family="shape", below=("B",))
COUNTED = kinds.Kind("batch-counted", kinds.MONOMIAL.cost, counting=True)


def _explanations(case: Case, found: Sequence[Explanation]) -> Iterator[Explanation]:
    """Yield the constants that are multiplied by the batch size, by itself.

    What is the same for all samples is summed over the batch then, and no less so where a
    number says it than where a sum does. A count of all entries, the batch among them, is
    a wrong count of dims.
    """
    from ldjcheck.mistakes.engine.places import is_times

    for each in found:
        if each.multiplier != _ONE_OF_BATCH or not each.constant:
            continue
        if all(is_times(trace, trace.batch) for trace in case.traces):
            cost = each.cost - kinds.ALL_USES  # the same edit, said of what it does
            yield replace(each, kind=COUNTED.name, cost=cost, multiplier=None)


def _edits(use: Use) -> Iterator[ValueEdit]:
    if use.operation in REDUCE:
        yield ValueEdit(kinds.EVENTS_ONLY, _over_events)
        yield ValueEdit(kinds.EVENTS_ONLY_COLUMN, _as_column)
        if use.operation == "mean":  # over the batch, and over the dims as well
            yield ValueEdit(kinds.EVENTS_SUMMED, _summed)


def _over_events(value: Value) -> Tensor | None:
    inner, batch = value.argument, value.trace.batch
    kept = value.now.dim() and len(value.now) == batch
    if inner.dim() < 1 or len(inner) != batch or kept:
        return None
    flat = inner.reshape(batch, -1)
    return flat.mean(1) if value.node.name == "mean" else flat.sum(1)


def _as_column(value: Value) -> Tensor | None:
    sums = _over_events(value)
    return None if sums is None else sums.reshape(-1, 1)


def _summed(value: Value) -> Tensor | None:
    mean = _over_events(value)
    count = value.argument.numel() // value.trace.batch
    return None if mean is None else mean * count


def _terms(term: Term) -> Iterator[Explanation]:
    """Yield a term that is one number for all samples, which have one each."""
    from ldjcheck.mistakes.engine.case import operand, target_location

    if not any(map(varies, term.needs)) or not is_constant(term.amounts):
        return
    for totals in (
        [need.sum() for need in term.needs],
        [need.mean() for need in term.needs],
    ):
        pairs = zip(totals, term.amounts, strict=True)
        if all(same(total.expand(len(amount)), amount) for total, amount in pairs):
            yield kinds.EVENTS_ONLY_TERM.explanation(
                location=target_location(term.case, term.target),
                operand=operand(term.target),
                size=term.target.size,
            )


RULE = Rule(
    code="LDJ106",
    name="batch-reduced",
    summary="the batch is summed or averaged too",
    page=Page.read(__doc__),
    laws=(
        WholeLaw(
            kinds.BATCH_TOTAL,
            lambda e, trace: e.sum().expand(trace.batch),
            tells=varies,
        ),
        WholeLaw(
            kinds.BATCH_TOTAL,
            lambda e, trace: e.mean().expand(trace.batch),
            tells=varies,
        ),
        WholeLaw(
            kinds.BATCH_TOTAL,
            lambda e, trace: (e.mean() / trace.dims).expand(trace.batch),
            tells=varies,
        ),
    ),
    edits=_edits,
    terms=_terms,
    explanations=_explanations,
    claims=(
        Claim(kinds.EVENTS_ONLY, mend=(reductions.over_events,)),
        Claim(kinds.BATCH_TOTAL, mend=(reductions.over_events,)),
        Claim(COUNTED, mend=(factors.dropped,)),
    ),
    tell="The log-determinant is reduced over the batch too: one number for all samples.",
    derived=True,
)
