"""LDJ113: dimensions that the mask leaves alone are counted too.

A mask leaves some dimensions alone, but their log-scales are summed too.

The rule:
    y = m*x + (1 - m)*(x*exp(s) + t)   =>   log|det J| = sum (1 - m) * s
    Where m = 1 the map is the identity and its derivative is 1, log 1 = 0. The
    network's output there is some number that nobody uses.

How it shows:
    reported - exact = the sum of s over the dimensions that do not move. Behind a
    network that starts at zero it is 0 until parameters move.

Wrong (-) and right (+):
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
    -        return y, log_s.sum(dim=1)
    +        return y, ((1 - self.mask) * log_s).sum(dim=1)

What it costs:
    Those log-scales' share. Training can raise them without limit: they pay in
    the loss and change nothing in the map.

Question:
    What is the derivative of an entry that passes through unchanged, and what do you
    add for it?

Easily confused with:
    LDJ103: a constant is multiplied by all dims, not by those that move
    LDJ111: the term belongs to no step
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

from ldjcheck.mistakes.catalogue import Claim, Page, Rule
from ldjcheck.mistakes.engine.kinds import LEAVE_IDLE_OUT, Use, Value, ValueEdit
from ldjcheck.mistakes.rewriting import calls, factors, points

if TYPE_CHECKING:
    from torch import Tensor

    from ldjcheck.tape import Trace


def _edits(use: Use) -> Iterator[ValueEdit]:
    """Yield: without the dims that one step leaves alone, or that all of them do."""
    from ldjcheck.mistakes.engine.counts import active_dims

    if not use.linear:
        return
    count = len(use.traces[0].steps)
    if all(len(trace.steps) == count for trace in use.traces):
        for index in range(count):
            idle = [trace.steps[index].idle for trace in use.traces]
            if any(bool(i.any()) and not bool(i.all()) for i in idle):
                yield ValueEdit(
                    LEAVE_IDLE_OUT,
                    _without(lambda trace, n=index: trace.steps[n].idle),  # type: ignore[misc]  # mypy cannot type the default
                    outermost=True,
                )
    if any(active_dims(trace) < trace.dims for trace in use.traces):
        yield ValueEdit(LEAVE_IDLE_OUT, _without(_always_idle), outermost=True)


def _always_idle(trace: Trace) -> Tensor:
    return reduce(and_, (s.idle for s in trace.steps)) if trace.steps else _none(trace)


def _none(trace: Trace) -> Tensor:
    return trace.reported.new_zeros(trace.dims).bool()


def _without(idle: Callable[[Trace], Tensor]) -> Callable[[Value], Tensor | None]:
    def edit(value: Value) -> Tensor | None:
        now, trace = value.now, value.trace
        whole = now.dim() and len(now) == trace.batch
        if not whole or now.numel() != trace.batch * trace.dims:
            return None
        return now.masked_fill(idle(trace).reshape(now.shape[1:]), 0)

    return edit


RULE = Rule(
    code="LDJ113",
    name="masked-dims-counted",
    summary="dims that the mask keeps are counted",
    page=Page.read(__doc__),
    edits=_edits,
    claims=(
        Claim(
            LEAVE_IDLE_OUT,
            mend=(points.masked, factors.dropped, calls.as_sliced_elsewhere),
        ),
    ),
    tell="The log-determinant also counts the dimensions that the map leaves alone.",
)
