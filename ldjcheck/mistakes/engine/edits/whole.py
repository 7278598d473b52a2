"""Laws between the whole reported ldj and the exact one, whatever the source says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from ldjcheck.mistakes.engine.closeness import fits
from ldjcheck.mistakes.engine.kinds import NOTHING_REPORTED, WHOLE_SIGN
from ldjcheck.mistakes.engine.source.places import location_of
from ldjcheck.mistakes.engine.source.statements import (
    factor_statement,
    forgotten_statement,
    ldj_statement,
)
from ldjcheck.records import Explanation, Multiplier
from ldjcheck.tape import Trace

if TYPE_CHECKING:
    from ldjcheck.mistakes.engine.proposals import WholeLaw


def whole_laws(
    traces: Sequence[Trace], laws: Sequence[WholeLaw]
) -> Iterator[Explanation]:
    """Yield what holds on every sample of every trace: r = 0 or -e, or one of the laws."""
    first = traces[0]
    location = location_of(ldj_statement(first))
    finite = all(bool(torch.isfinite(trace.reported).all()) for trace in traces)
    if finite and not any(bool(trace.reported.any()) for trace in traces):
        forgotten = location_of(forgotten_statement(first))
        yield NOTHING_REPORTED.explanation(location=forgotten, whole=True)
        return
    if not finite:
        return
    if all(fits(trace, trace.reported, -trace.exact) for trace in traces):
        minus = Multiplier(family="sign", label="-1")
        written = first.ldj and factor_statement(first, first.ldj, -1.0)
        place = location_of(written) if written else location
        yield WHOLE_SIGN.explanation(multiplier=minus, whole=True, location=place)
    for law in laws:
        if _holds(law, traces):
            exact = [trace.exact for trace in traces]
            detail = None if law.detail is None else law.detail(exact)
            yield law.kind.explanation(whole=True, location=location, detail=detail)


def _holds(law: WholeLaw, traces: Sequence[Trace]) -> bool:
    if law.tells is not None and not any(law.tells(trace.exact) for trace in traces):
        return False
    for trace in traces:
        expected = law.reported(trace.exact, trace)
        if expected is None or not fits(trace, trace.reported, expected):
            return False
    return True
