"""Laws between the whole reported ldj and the exact one, whatever the source says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.mistakes.engine.kinds import (
    ABSOLUTE,
    BATCH_TOTAL,
    EXPONENTIAL,
    NOTHING_REPORTED,
    ONE,
    TRACE,
    WHOLE_SIGN,
)
from ldjcheck.mistakes.engine.multipliers.counts import fits, same
from ldjcheck.mistakes.engine.source.places import location_of
from ldjcheck.mistakes.engine.source.statements import (
    factor_statement,
    forgotten_statement,
    ldj_statement,
)
from ldjcheck.records import Explanation, Multiplier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ldjcheck.tape import Trace


def whole_laws(traces: Sequence[Trace]) -> Iterator[Explanation]:
    """Yield the laws that hold on every sample of every trace."""
    location = location_of(ldj_statement(traces[0]))
    reported = [trace.reported for trace in traces]
    exact = [trace.exact for trace in traces]
    if all(torch.isfinite(r).all() and not r.any() for r in reported):
        forgotten = location_of(forgotten_statement(traces[0]))
        yield NOTHING_REPORTED.explanation(
            location=forgotten,
            whole=True,
        )
        return
    if not all(bool(torch.isfinite(r).all()) for r in reported):
        return

    def holds(law: Callable[[Tensor, Tensor, Trace], bool]) -> bool:
        return all(
            law(r, e, t) for r, e, t in zip(reported, exact, traces, strict=True)
        )

    if holds(lambda r, e, t: fits(t, r, -e)):
        minus = Multiplier(family="sign", label="-1")
        first = traces[0]
        written = first.ldj and factor_statement(first, first.ldj, -1.0)
        place = location_of(written) if written else location
        yield WHOLE_SIGN.explanation(
            multiplier=minus,
            whole=True,
            location=place,
        )
    if holds(lambda r, e, t: fits(t, r, e + 1)):
        empty = holds(lambda r, e, t: same(e, 0 * e))
        started = None if empty else "1"  # where the sum was started
        yield ONE.explanation(whole=True, location=location, detail=started)
    if any(bool(((e - e[0]).abs() > 1e-6).any()) for e in exact):
        for reduced in (torch.sum, torch.mean):
            if holds(lambda r, e, t, f=reduced: fits(t, r, f(e).expand(t.batch))):  # type: ignore[misc]  # mypy cannot type the default
                word = "sum" if reduced is torch.sum else "mean"
                yield BATCH_TOTAL.explanation(
                    whole=True,
                    detail=word,
                    location=location,
                )
    if holds(lambda r, e, t: fits(t, r, e.exp())):
        yield EXPONENTIAL.explanation(whole=True, location=location)
    zero = all(float(e.abs().max()) < 1e-9 for e in exact)
    signed = any(bool((e < 0).any()) for e in exact)  # else |e| is e, which is not said
    if not zero and signed and holds(lambda r, e, t: fits(t, r, e.abs())):
        yield ABSOLUTE.explanation(whole=True, location=location)
    if holds(lambda r, e, t: t.jacobian is not None and fits(t, r, _trace_of(t))):
        yield TRACE.explanation(whole=True, location=location)


def _trace_of(trace: Trace) -> Tensor:
    assert trace.jacobian is not None
    return trace.jacobian.diagonal(dim1=1, dim2=2).sum(1)
