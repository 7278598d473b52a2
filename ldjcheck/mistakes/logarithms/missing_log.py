"""LDJ108: a scale or determinant is added without its logarithm.

The determinant, a scale or the trace was added where its logarithm belongs.

The rule:
    y = s * x   =>   log|det J| = sum log|s_i|,   not   sum s_i
    log of a product = sum of logs; a sum of scales is the trace of J.

How it shows:
    With scales near 1 every dimension reports about 1 too much. exp(exact), or
    the trace of the Jacobian, is what was reported.

Wrong (-) and right (+):
     import torch
     from torch import nn

     class Scale(nn.Module):
         # Multiply each dimension by a learned positive number.
         def __init__(self, dims=4):
             super().__init__()
             self.raw = nn.Parameter(torch.randn(dims))

         def forward(self, x):
             scale = nn.functional.softplus(self.raw)
             y = x * scale
    -        ldj = scale.sum().expand(len(x))
    +        ldj = scale.log().sum().expand(len(x))
             return y, ldj

What it costs:
    The mean over dimensions of (s - ln|s|) / ln 2: at least 1.44 too low.

Question:
    What is the determinant of a diagonal matrix, and what of it is asked for: the
    determinant, or its logarithm?

Easily confused with:
    LDJ111: a term that belongs nowhere, logged or not
    LDJ118: the number 1 where the ldj is 0
    LDJ107: a logarithm, but of another base
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.catalogue.wording import named
from ldjcheck.mistakes.engine.closeness import is_constant, same
from ldjcheck.mistakes.engine.kinds import (
    ADD_LOG,
    EXPONENTIAL,
    REMOVE_EXP,
    TRACE,
    Term,
    Use,
    Value,
    ValueEdit,
    WholeLaw,
)
from ldjcheck.mistakes.rewriting import calls
from ldjcheck.records import Explanation

if TYPE_CHECKING:
    from torch import Tensor

    from ldjcheck.tape import Trace


def _tell(e: Explanation) -> str:
    if TRACE.holds(e):
        return "The trace of the Jacobian is reported, not its log-determinant."
    if EXPONENTIAL.holds(e):
        return "The determinant itself is reported, not its logarithm."
    return f"{named(e, start=True)} is added without its logarithm."


def _edits(use: Use) -> Iterator[ValueEdit]:
    if use.operation.strip("_") == "exp":
        yield ValueEdit(REMOVE_EXP, lambda value: value.argument)
    if use.linear:
        yield ValueEdit(ADD_LOG, _log, outermost=True)


def _log(value: Value) -> Tensor | None:
    return value.now.abs().log() if value.now.is_floating_point() else None


def _trace_of_jacobian(e: Tensor, trace: Trace) -> Tensor | None:
    jacobian = trace.jacobian
    return None if jacobian is None else jacobian.diagonal(dim1=1, dim2=2).sum(1)


def _terms(term: Term) -> Iterator[Explanation]:
    """Yield: a constant c * w where c * log|w| is needed, c being a count.

    Constants are often plain numbers, so no operation is left to edit.
    """
    from ldjcheck.mistakes.engine.case import operand, roundabout, target_location
    from ldjcheck.mistakes.engine.counts import shape_counts

    if not is_constant(term.amounts) or not is_constant(term.needs):
        return
    for counts in shape_counts(term.case.traces):
        triples = zip(term.amounts, term.needs, counts, strict=True)
        if all(_is_unlogged(*triple) for triple in triples):
            yield ADD_LOG.explanation(
                constant=True,
                location=target_location(term.case, term.target),
                operand=operand(term.target),
                size=term.target.size,
                rank=roundabout(term.case.traces[0], term.target),
            )
            return


def _is_unlogged(amount: Tensor, need: Tensor, count: float) -> bool:
    sign = 1.0 if float(amount[0]) >= 0 else -1.0
    return same(sign * count * (amount / count).abs().log(), need)


RULE = Rule(
    code="LDJ108",
    name="missing-log",
    summary="a scale is added without its log",
    page=Page.read(__doc__),
    laws=(
        WholeLaw(EXPONENTIAL, lambda e, trace: e.exp()),
        WholeLaw(TRACE, _trace_of_jacobian),
    ),
    edits=_edits,
    terms=_terms,
    claims=(
        Claim(ADD_LOG, mend=(calls.with_log,)),
        Claim(REMOVE_EXP, mend=(calls.without_exp,)),
        Claim(EXPONENTIAL, mend=(calls.with_log, calls.without_exp)),
        Claim(TRACE, mend=(calls.with_log,)),
    ),
    tell=_tell,
)
