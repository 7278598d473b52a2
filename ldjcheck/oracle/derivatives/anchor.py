"""Whether a Jacobian is the derivative of the map that was really computed.

Autograd answers for the graph that was recorded, which is another map where a layer
detaches its scale, computes it under `no_grad` or brings its own backward. A central
difference along one random direction per sample knows nothing of graphs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import MACHINE_EPSILON
from ldjcheck.oracle.derivatives.jacobian import (
    FlatMap,
    central_difference,
    extrapolated,
    random_direction,
)

# The largest steps of float32 may lead out of the domain, the smallest are rounding's.
# Of a network with thousands of kinks one is nearly always within 1e-6: the last step of
# float64 is for what bends there. What jumps is smooth as well where it is looked at so near.
_STEPS = {
    "float64": (1e-5, 1e-6, 1e-4, 1e-7),
    "float32": (1e-2, 3e-2, 3e-3, 1e-3, 3e-4),
    "float16": (1e-1, 3e-1, 3e-2),
    "bfloat16": (3e-1, 5e-1, 1e-1),
}
_NEAREST = 1e-7
_RELATIVE = {"float64": 1e-6, "float32": 2e-2, "float16": 5e-2, "bfloat16": 1e-1}
_UNCLEAR = 1e-2  # an error estimate above this share of the derivative decides nothing
_ANOTHER = 0.1  # of the slope: a kink nearby may cost that, and no rounding does
_ROUNDED = 4.0  # units in the last place of y, that a difference of two may be off by


def anchored_samples(
    f: FlatMap,
    x: Tensor,
    jacobian: Tensor,
    dtype: str,
    seed: int,
    *,
    once: bool = False,
) -> Tensor:
    """Return on which samples J agrees with central differences, `(batch,)`.

    A sample that lands on a kink gets more tries, with other directions and steps, unless
    all are tried `once`; agreement by chance in six digits along a random direction does
    not happen. At the nearest step only what bends is asked, not what jumps. Where the map
    has saturated in all dims, its differences are rounding, and confirm no more.
    Not all of several samples land on a kink: what is clearly another slope at each is
    another derivative.
    """
    if not jacobian.numel():
        return torch.ones(len(x), dtype=torch.bool)  # no entry that could be off
    generator = torch.Generator().manual_seed(seed)
    ulp = _ROUNDED * MACHINE_EPSILON[dtype]
    pending = torch.ones(len(x), dtype=torch.bool)
    jumps = torch.zeros_like(pending)
    for step in _STEPS[dtype]:
        asked = ~jumps if step == _NEAREST else torch.ones_like(pending)
        if not (pending & asked).any():
            break
        direction = random_direction(x.shape, generator).to(x)
        claimed = torch.einsum("bij,bj->bi", jacobian.to(x), direction)
        slope, size = central_difference(f, x, direction, step)
        least = ulp * size.amax(dim=1).nan_to_num(0.0, 0.0, 0.0) / step
        off = (claimed - slope).abs().amax(dim=1)
        scale = _scale(claimed, slope)
        borne_out = off <= _RELATIVE[dtype] * scale + least
        pending &= ~(borne_out & asked)
        jumps |= off > _scale(claimed, claimed) + least
        if not pending.any():
            break  # so near already: nothing is left to extrapolate
        slope, error = extrapolated(f, x, direction, step, slope)
        off = (claimed - slope).abs().amax(dim=1)
        scale = _scale(claimed, slope)
        error = error.amax(dim=1)
        good = off <= _RELATIVE[dtype] * scale + 3.0 * error + least
        clear = error <= _UNCLEAR * scale + least
        pending &= ~(good & clear & asked)
        another = clear & (off > _ANOTHER * scale)
        if once or not pending.any() or (len(x) > 1 and bool(another.all())):
            break
    return ~pending


def _scale(claimed: Tensor, slope: Tensor) -> Tensor:
    return 1e-12 + torch.maximum(claimed.abs(), slope.abs()).amax(dim=1)
