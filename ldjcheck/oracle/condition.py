"""The condition of a map: by how much it stretches the one way, over how much the other.

What a way back does to rounding is about the condition times the machine epsilon.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.flat_map import FrozenMap
from ldjcheck.oracle.derivatives.products import (
    NoProductsError,
    NoTensorError,
    UnequalDimsError,
    opened,
)
from ldjcheck.records import Side, Sides
from ldjcheck.running.bench import Bench
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner

_ROUNDS = 4  # of the power method: a quarter too little is as good a warning


def measure_condition(bench: Bench, sides: Sides) -> float | None:
    """Return the largest condition number of J, in the 2-norm, over a batch.

    Where all entries are known it is the ratio of the extreme singular values. Else both
    are met by products of the map there and of the map back (power method), from below.
    None where neither is possible, or samples meet: then there is no J of each.
    """
    forward, inverse = sides.forward, sides.inverse
    allowed = forward.exact.allowed
    if allowed is not None and not allowed.isfinite().all():
        return None
    jacobians = forward.finite_jacobians
    if jacobians is not None and forward.exact.is_square and len(jacobians):
        slopes = torch.linalg.svdvals(jacobians.nan_to_num())
        return float((slopes[:, 0] / slopes[:, -1]).max())
    if not (forward.answered and inverse.answered):
        return None
    runner, _, generator = bench.ready(sides.probe)
    try:
        there, back = (_stretch(runner, side, generator) for side in (forward, inverse))
    except (NoProductsError, NoTensorError, UnequalDimsError):
        return None
    return float((there * back).max())


def _stretch(runner: Runner, side: Side, generator: torch.Generator) -> Tensor:
    """Return about the largest singular value of J at each sample, `(batch,)`."""
    noise = Frozen(list(side.said.given))
    map_ = FrozenMap(runner=runner, direction=side.direction, x=side.x, frozen=noise)
    w = torch.randn(len(side.x), side.dims, generator=generator, dtype=torch.float64)
    products, image = opened(map_, map_.origin, w)
    size = torch.zeros(len(w), dtype=torch.float64)
    for _ in range(_ROUNDS):
        w = products.times_transposed(image / _norm(image))
        size = torch.linalg.vector_norm(w, dim=1)
        image = products.times(w / _norm(w))
    return size


def _norm(v: Tensor) -> Tensor:
    size: Tensor = torch.linalg.vector_norm(v, dim=1, keepdim=True)
    return size.clamp_min(1e-300)
