"""How a layer behaves between calls: repeatable, sample by sample, adding to the total."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ldjcheck.measure.guard import Frozen
    from ldjcheck.measure.runner import Outcome, Runner
    from ldjcheck.records import Direction

_SAME = {
    "float64": 1e-9,
    "float32": 1e-3,
}  # relative: a repeated call differs by nothing


def contract_faults(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    frozen: Frozen,
    base: Outcome,
    dtype: str,
) -> tuple[str, ...]:
    """Return what breaks the contract of every flow layer, one sentence each."""
    faults = []
    tolerance = _SAME[dtype]
    if base.x_changed:
        faults.append("the call changes its input tensor in place")
    if not base.y.dim() or len(base.y) != len(x):
        faults.append(
            f"{len(x)} samples went in and an output of shape {tuple(base.y.shape)} came out"
        )
    again = runner.run(direction, x, frozen)
    if not _same(base.y, again.y, tolerance):
        faults.append("the same call with the same random state gives another output")
    elif not _same(base.reported, again.reported, tolerance):
        faults.append("the same call with the same random state gives another ldj")
    elif runner.calls.accumulates and base.reported is not None:
        moved = runner.run(direction, x, frozen, start=runner.start(x) + 2.5)
        if moved.reported is not None and not _same(
            base.reported, moved.reported, 1e-6
        ):
            faults.append(
                "the ldj that is passed in does not come back with the layer's own added: "
                f"2.5 more going in changes the total by "
                f"{2.5 + float((moved.reported - base.reported)[0]):.6g}"
            )
    return tuple(faults)


def sample_coupling(
    runner: Runner, direction: Direction, x: Tensor, frozen: Frozen, base: Outcome
) -> tuple[float, float]:
    """Return how far a sample's output, and its ldj, move when only its companions change.

    The first and the last sample are kept in turn, the others are replaced by copies of
    their neighbours, which are points of the domain too.
    """
    if len(x) < 2 or len(base.y) != len(x):
        return 0.0, 0.0
    of_output = of_ldj = 0.0
    kept_and_others = (
        (0, torch.cat([x[:1], x[:-1]])),
        (-1, torch.cat([x[1:], x[-1:]])),
    )
    for kept, others in kept_and_others:
        moved = runner.run(direction, others, frozen)
        if moved.y.shape != base.y.shape:
            return float("inf"), 0.0
        of_output = max(of_output, _change(base.y[kept], moved.y[kept]))
        if base.reported is not None and moved.reported is not None:
            of_ldj = max(of_ldj, _change(base.reported[kept], moved.reported[kept]))
    return of_output, of_ldj


def _change(before: Tensor, after: Tensor) -> float:
    change = (before - after).detach().double().abs()
    change = change[torch.isfinite(change)]
    return float(change.max()) if change.numel() else 0.0


def _same(a: Tensor | None, b: Tensor | None, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    if a.shape != b.shape:
        return False
    a, b = a.detach().double(), b.detach().double()
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
