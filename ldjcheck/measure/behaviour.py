"""How a call behaves: what it changes, whether it repeats, adds up, and keeps samples apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ldjcheck.records import Accumulation, Behaviour, Cast, Coupling, Mutation

if TYPE_CHECKING:
    from ldjcheck.measure.guard import Frozen
    from ldjcheck.measure.runner import Outcome, Runner
    from ldjcheck.measure.watch import Watch
    from ldjcheck.records import Direction

SAME = {
    "float64": 1e-9,
    "float32": 1e-3,
}  # relative: a repeated call differs by nothing
_MORE = 2.5  # nats that are added to what comes in, and a little more each sample


def behaviour_of(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    frozen: Frozen,
    base: Outcome,
    watch: Watch,
    dtype: str,
) -> Behaviour:
    """Return what was noticed about one call, `base`, and a few more like it."""
    faults = []
    if not base.y.dim() or len(base.y) != len(x):
        faults.append(
            f"{len(x)} samples went in and an output of shape {tuple(base.y.shape)} came out"
        )
    again = runner.run(direction, x, frozen)
    repeats = same(base.y, again.y, SAME[dtype])
    if not repeats:
        faults.append("the same call with the same random state gives another output")
    elif not same(base.reported, again.reported, SAME[dtype]):
        faults.append("the same call with the same random state gives another ldj")
        repeats = False
    coupling = _coupling(runner, direction, x, frozen, base) if repeats else None
    return Behaviour(
        input_changed=_mutation(base.x_change, "input", watch, refused=base.eager),
        incoming_changed=_mutation(base.start_change, "incoming", watch),
        cast=_cast(base, watch),
        coupling=coupling,
        faults=tuple(faults),
    )


def own_part(
    reported: Tensor, runner: Runner, x: Tensor, accumulation: Accumulation | None
) -> Tensor:
    """Return what the layer itself adds to the total, where that can be told.

    It adds to a share of what comes in; the total less that share is its own part.
    """
    if accumulation is None or accumulation.share is None:
        return reported
    lost = (1.0 - accumulation.share) * runner.start(x).reshape(reported.shape)
    return reported + runner.calls.sign * lost


def _mutation(
    change: float, name: str, watch: Watch, *, refused: bool = False
) -> Mutation | None:
    if not change:
        return None
    return Mutation(change=change, location=watch.written(name), refused=refused)


def _cast(base: Outcome, watch: Watch) -> Cast | None:
    if watch.cast is not None:
        return Cast(dtype=watch.cast[0], location=watch.cast[1])
    if isinstance(base.raw, np.generic) and base.raw.dtype in (np.float16, np.float32):
        return Cast(dtype=str(base.raw.dtype))
    return None


def accumulation_of(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    frozen: Frozen,
    base: Outcome,
    watch: Watch,
) -> Accumulation | None:
    """Return what becomes of more that goes in; None where it comes back as promised."""
    if not runner.calls.accumulates or base.reported is None:
        return None
    start = runner.start(x)
    more = _MORE + 0.5 * torch.arange(len(x), dtype=torch.float64)
    larger = start + more.to(start).reshape(start.shape)
    moved = runner.run(direction, x, frozen, start=larger)
    if moved.reported is None:
        return None
    change = runner.calls.sign * (moved.reported - base.reported).detach().double()
    out = change.cpu() + more
    known = torch.isfinite(out)
    if not known.any() or same(out[known], more[known], 1e-6):
        return None
    shares = out[known] / more[known]
    alike = bool((shares - shares[0]).abs().max() < 1e-6)
    return Accumulation(
        into=_MORE,
        out=float(shares[0]) * _MORE,
        share=round(float(shares[0]), 9) if alike else None,
        location=watch.made(base.raw),
    )


def _coupling(
    runner: Runner, direction: Direction, x: Tensor, frozen: Frozen, base: Outcome
) -> Coupling | None:
    """Return how far a sample's output, and its ldj, move when only its companions change.

    The first and the last sample are kept in turn, the others are replaced by copies of
    their neighbours, which are points of the domain too.
    """
    if len(x) < 2 or not base.y.dim() or len(base.y) != len(x):
        return None
    of_output = of_ldj = 0.0
    kept_and_others = (
        (0, torch.cat([x[:1], x[:-1]])),
        (-1, torch.cat([x[1:], x[-1:]])),
    )
    for kept, others in kept_and_others:
        moved = runner.run(direction, others, frozen)
        if moved.y.shape != base.y.shape:
            return Coupling(output=float("inf"), ldj=0.0)
        of_output = max(of_output, _change(base.y[kept], moved.y[kept]))
        if base.reported is not None and moved.reported is not None:
            of_ldj = max(of_ldj, _change(base.reported[kept], moved.reported[kept]))
    if not of_output and not of_ldj:
        return None
    return Coupling(output=of_output, ldj=of_ldj)


def _change(before: Tensor, after: Tensor) -> float:
    change = (before - after).detach().double().abs()
    change = change[torch.isfinite(change)]
    return float(change.max()) if change.numel() else 0.0


def same(a: Tensor | None, b: Tensor | None, tolerance: float) -> bool:
    """Return whether two answers are one, up to a relative tolerance."""
    if a is None or b is None:
        return a is b
    if a.shape != b.shape:
        return False
    a, b = a.detach().double(), b.detach().double()
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
