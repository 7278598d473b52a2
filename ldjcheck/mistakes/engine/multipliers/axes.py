"""Which axis of an event is which: channels, height and width, or time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ldjcheck.records import Shape
from ldjcheck.tape import Trace

_NOTHING = 1e-9  # an entry of the Jacobian that is no dependence


def names_of_axes(
    traces: Sequence[Trace], shapes: Sequence[Shape]
) -> tuple[str, ...] | None:
    """Return the names of the event's axes; None where there are more than four.

    Sequences come as (C, T) and as (T, C). The axis whose entries the map mixes is that of
    the channels, and so is the one that a learned vector has the size of: every step of
    time is treated alike.
    """
    rank = len(shapes[0])
    if rank == 2:
        return ("T", "C") if _last_is_channels(traces, shapes) else ("C", "T")
    return {1: ("dims",), 3: ("C", "H", "W"), 4: ("C", "T", "H", "W")}.get(rank)


def _last_is_channels(traces: Sequence[Trace], shapes: Sequence[Shape]) -> bool:
    mixed = [_mixes(t, s) for t, s in zip(traces, shapes, strict=True)]
    first, last = any(m[0] for m in mixed), any(m[1] for m in mixed)
    if first or last:
        return last and not first
    told = [
        (s, {size for n in t.nodes if n.learnable for size in n.value.shape})
        for t, s in zip(traces, shapes, strict=True)
    ]
    return all(s[1] in sizes and s[0] not in sizes for s, sizes in told)


def _mixes(trace: Trace, shape: Shape) -> tuple[bool, bool]:
    """Return along which of two axes an output depends on other inputs than its own."""
    jacobian = trace.jacobian
    if jacobian is None or jacobian.shape[1:] != (trace.dims, trace.dims):
        return False, False
    size = jacobian.abs().amax(0).reshape(*shape, *shape)
    first = size.amax(dim=(1, 3))  # which entry of the first axis moves which
    last = size.amax(dim=(0, 2))
    return _off_diagonal(first), _off_diagonal(last)


def _off_diagonal(matrix: Tensor) -> bool:
    eye = torch.eye(len(matrix), dtype=torch.bool)
    return bool((matrix.masked_fill(eye, 0.0) > _NOTHING).any())
