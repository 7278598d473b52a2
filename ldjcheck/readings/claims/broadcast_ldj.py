"""An ldj with axes of size one, read another way where the first reading disagrees.

A column, `(batch, 1)`, is one number per sample; `(1, C, 1, 1)` are the entries of any one
sample. Both may be the diagonal of the Jacobian instead, each number of it written once for
all the entries that have it: `log_scale` beside `y = x * log_scale.exp()`.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ldjcheck.judging.measurement import compared
from ldjcheck.readings.reading import Measured
from ldjcheck.records import Calls, Comparison, Direction, Side, Verdict
from ldjcheck.running.reported import may_be_spread

_NEAR = 1e-6  # relative: two entries of one diagonal, far from what a mistake costs


def propose(seen: Measured) -> Iterator[Measured]:
    """Yield the reading of an ldj that is spread over all entries, if it is.

    It is where it disagrees as it stands, and is the diagonal of the Jacobian, entry by
    entry, once it is spread.
    """
    subject, comparison = seen.subject, seen.comparison
    wanted = [v.direction for v in comparison.verdicts if _may_be_spread(v, comparison)]
    if not wanted:
        return
    calls = _spread(subject.bench.calls, wanted)
    there = replace(subject, bench=replace(subject.bench, calls=calls))
    again = compared(there, values_alone=True)
    agreed = [
        verdict.direction
        for verdict in again.verdicts
        if verdict.direction in wanted and _is_diagonal(verdict)
    ]
    if agreed:
        calls = _spread(subject.bench.calls, agreed)
        there = replace(subject, bench=replace(subject.bench, calls=calls))
        yield replace(seen.of(there), comparison=compared(there))


def _may_be_spread(verdict: Verdict, comparison: Comparison) -> bool:
    wrong = verdict.mismatched or verdict.faults
    first = comparison.measurement.measured[0].of(verdict.direction)
    if not wrong or not first.answered or first.said.ldj_shape is None:
        return False
    shape, over = first.said.ldj_shape, tuple(first.x.shape)
    if comparison.measurement.calls.accumulates and len(shape) > 1:
        if shape == (over[0], over[0]):  # a column met the totals
            shape = (over[0], 1)
        elif shape[-1] == over[0]:  # and so did the last axis of entries
            shape = (*shape[:-1], 1)
    return may_be_spread(shape, over)


def _spread(calls: Calls, directions: list[Direction]) -> Calls:
    changed = {
        direction: replace(way, spread=True)
        for direction in directions
        if (way := calls.way(direction)) is not None
    }
    return replace(
        calls,
        forward=changed.get("forward", calls.forward),
        inverse=changed.get("inverse", calls.inverse),
    )


def _is_diagonal(verdict: Verdict) -> bool:
    """Return whether sums agree, and entries where the Jacobian is known to have some."""
    sides = [side for _, side, _ in verdict.usable]
    return bool(sides) and not verdict.mismatched and all(map(_has_its_entries, sides))


def _has_its_entries(side: Side) -> bool:
    own, exact = side.said.shares, side.exact.shares
    if own is None or exact is None or own.shape != exact.shape:
        return True
    if side.exact.structure != "diagonal":
        return True
    known = exact.isfinite()
    return torch.allclose(own[known], exact[known], rtol=_NEAR, atol=_NEAR)
