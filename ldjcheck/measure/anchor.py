"""Whether a Jacobian is the derivative of the map that was really computed.

Autograd answers for the graph that was recorded, which is another map where a layer
detaches its scale, computes it under `no_grad` or brings its own backward. A central
difference along one random direction per sample knows nothing of graphs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ldjcheck.measure.exact import FlatMap, directional_difference

_STEPS = {"float64": (1e-5, 1e-6, 1e-4), "float32": (1e-2, 3e-2, 3e-3)}
_RELATIVE = {"float64": 1e-6, "float32": 2e-2}
_UNCLEAR = 1e-2  # an error estimate above this share of the derivative decides nothing


def is_anchored(f: FlatMap, x: Tensor, jacobian: Tensor, dtype: str, seed: int) -> bool:
    """Return whether J agrees with central differences on every sample.

    A sample that lands on a kink gets two more tries, with another direction and step;
    agreement by chance in six digits along a random direction does not happen.
    """
    generator = torch.Generator().manual_seed(seed)
    pending = torch.ones(len(x), dtype=torch.bool)
    for step in _STEPS[dtype]:
        direction = _direction(x, generator)
        slope, error = directional_difference(f, x, direction, step)
        claimed = torch.einsum("bij,bj->bi", jacobian.to(x), direction)
        scale = 1e-12 + torch.maximum(claimed.abs(), slope.abs()).amax(dim=1)
        off = (claimed - slope).abs().amax(dim=1)
        error = error.amax(dim=1)
        good = off <= _RELATIVE[dtype] * scale + 3.0 * error.clamp_max(float("inf"))
        clear = error <= _UNCLEAR * scale
        pending &= ~(good & clear)
        if not pending.any():
            return True
    return False


def _direction(x: Tensor, generator: torch.Generator) -> Tensor:
    """Return a random direction that leaves no dim out: each entry is between 1/2 and 3/2."""
    size = 0.5 + torch.rand(x.shape, generator=generator, dtype=torch.float64)
    sign = (
        torch.randint(0, 2, x.shape, generator=generator, dtype=torch.float64) * 2 - 1
    )
    return (size * sign).to(x)
