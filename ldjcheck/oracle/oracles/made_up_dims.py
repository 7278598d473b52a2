"""Ways back to more dims: minus what the way there says of the point that they made up.

What they draw must have that density as well: of the two, what the way back contradicts
counts.

Where that is no density there is nothing to hold the way back against: it repeats the
mistake, or it may well be right.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ldjcheck.oracle.oracle import Known, Oracle, Question
from ldjcheck.oracle.oracles.drawn_dims import drawn_ldj
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen

_SAME = 1e-9


def _known(asked: Question) -> Known | None:
    inverse, forward, exact = asked.side, asked.other, asked.side.exact
    reported = inverse.said.ldj
    if not asked.is_back or forward.exact.instead is None or reported is None:
        return None
    try:
        there = asked.runner.run("forward", inverse.y, Frozen())
    except FailedCallError:
        return Known(exact=exact)
    same = there.y.shape == inverse.x.shape and torch.allclose(
        there.y.detach().double(), inverse.x.double(), atol=_SAME
    )
    off = forward.difference
    if not same or there.reported is None or off is None:
        return Known(exact=exact)
    if forward.exact.instead == "volume":
        return None  # it has a volume factor of its own
    said = there.reported.detach().double()
    allowed = forward.exact.allowed
    wrong = allowed is not None and bool((off.abs() > allowed).any())
    if wrong and not torch.allclose(reported.double(), -said):
        return Known(exact=replace(exact, instead=forward.exact.instead))
    ldj = -(said - off)
    drawn = drawn_ldj(asked)
    if drawn is not None and not asked.bench.calls.departures:
        further = (drawn - reported).abs().sum() > (ldj - reported).abs().sum()
        ldj = drawn if bool(further) else ldj
    found = replace(exact, ldj=ldj, allowed=allowed, instead=forward.exact.instead)
    return Known(exact=found)


ORACLE = Oracle(
    name="made-up-dims",
    summary="a way back that makes up dims has minus the log-density of the way there",
    known=_known,
)
