"""What counts nowhere: dims at an end, and the constant of a normal density."""

import math
from collections.abc import Iterator, Sequence

from torch import Tensor

from ldjcheck.mistakes.engine.closeness import SOMETHING, fits, is_constant
from ldjcheck.mistakes.engine.kinds import DIMS_LEFT_OUT, NORMALISER
from ldjcheck.mistakes.engine.places import ldj_statement
from ldjcheck.records import Explanation
from ldjcheck.tape import Trace, location_of

_CLEAR = 1e-6
_AXES = {1: ("dim",), 2: ("row", "column"), 3: ("channel", "row", "column")}


def left_out(traces: Sequence[Trace]) -> Iterator[Explanation]:
    """Yield the first or last dims that move and count nowhere, as few as will do.

    The same number of them must be missing at every size, on every sample.
    """
    names = _AXES.get(len(traces[0].shape))
    if names is None or any(trace.shares is None for trace in traces):
        return
    if any(len(trace.shape) != len(names) for trace in traces):
        return
    for axis, name in enumerate(names):
        parts = [_of_axis(trace, axis) for trace in traces]
        for end in ("first", "last"):
            count = _missing(traces, parts, end)
            if count is None:
                continue
            missing = [_total(each, count, end) for each in parts]
            moving = " that moves" if _has_idle(traces, parts, axis) else ""
            what = f"the {end} {name}{moving}"
            if count > 1:
                what = f"the {end} {count} {name}s{' that move' if moving else ''}"
            yield DIMS_LEFT_OUT.explanation(
                constant=is_constant(missing),
                location=location_of(ldj_statement(traces[0])),
                detail=what,
            )
            return


def _of_axis(trace: Trace, axis: int) -> Tensor:
    """Return what the places along an axis are worth, `(batch, places)`, idle ones apart."""
    assert trace.shares is not None
    shares = trace.shares.reshape(trace.batch, *trace.shape)
    others = [a + 1 for a in range(len(trace.shape)) if a != axis]
    parts = shares.sum(dim=others) if others else shares
    return parts[:, (parts.abs() > SOMETHING).any(dim=0)]


def _missing(traces: Sequence[Trace], parts: Sequence[Tensor], end: str) -> int | None:
    """Return how many places from one end explain every difference, or None.

    Some size must have more of them, or it is the whole that is missing.
    """
    for count in range(1, max(each.shape[1] for each in parts)):
        totals = [_total(each, count, end) for each in parts]
        if all(
            fits(trace, trace.reported + total, trace.exact)
            for trace, total in zip(traces, totals, strict=True)
        ):
            told = any(bool((total.abs() > _CLEAR).any()) for total in totals)
            return count if told else None
    return None


def _total(parts: Tensor, count: int, end: str) -> Tensor:
    ordered = parts if end == "first" else parts.flip(1)
    return ordered[:, :count].sum(dim=1)


def _has_idle(traces: Sequence[Trace], parts: Sequence[Tensor], axis: int) -> bool:
    return any(
        each.shape[1] < trace.shape[axis]
        for trace, each in zip(traces, parts, strict=True)
    )


_EACH = math.log(2 * math.pi) / 2


def normaliser_left_out(traces: Sequence[Trace]) -> Iterator[Explanation]:
    """Yield that log(2 pi) / 2 is left out, once for each of so many dims.

    A density lacks it with a minus; a map onto normal numbers gains it, in each dim.
    """
    missing = [trace.exact - trace.reported for trace in traces]
    if not is_constant(missing):
        return
    lacking = [round(-float(amount[0]) / _EACH) for amount in missing]
    dims = [trace.dims for trace in traces]
    whole = [abs(count) for count in lacking] == dims
    is_one = len({*lacking}) == 1 and lacking[0] > 0
    if not (whole or is_one):
        return
    if all(
        fits(trace, trace.reported - _EACH * count, trace.exact)
        for trace, count in zip(traces, lacking, strict=True)
    ):
        yield NORMALISER.explanation(
            constant=True,
            location=location_of(ldj_statement(traces[0])),
            operand="log(math.sqrt(2 * math.pi))",
            detail="each dim" if whole else f"{lacking[0]} of the dims",
        )
