"""Whether a Jacobian is the derivative of the map that was really computed.

Autograd answers for the graph that was recorded, which is another map where a layer
detaches its scale, computes it under `no_grad` or brings its own backward. Central
differences along random directions know nothing of graphs: one for each sample of a whole
Jacobian, several for what is claimed of one of many dims. These are taken only along
inputs that count: the slopes of a coupling layer's network do not, and may be steep.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import MACHINE_EPSILON
from ldjcheck.oracle.derivatives.jacobian import (
    FlatMap,
    central_difference,
    extrapolated,
    random_direction,
)
from ldjcheck.oracle.derivatives.products import Products

# The largest steps of float32 may lead out of the domain, the smallest are rounding's.
_FINE = (1e-5, 1e-6, 1e-4)
_ROUGH = (1e-2, 3e-2, 3e-3, 1e-3, 3e-4)
_IS_ROUGH = 1e-10  # the rounding unit of float32 is above, that of float64 below
_NEAR = {False: 1e-6, True: 2e-2}  # relative, of slopes that agree
_UNCLEAR = 1e-2  # an error estimate above this share of the slope decides nothing
_ANOTHER = 0.1  # of the slope: a kink nearby may cost that, and no rounding does
_ROUNDED = 4.0  # units in the last place of y, that a difference of two may be off by


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What moves, and how, where some of the inputs do."""

    inputs: Tensor
    outputs: Tensor
    slope: Callable[[Tensor], Tensor]  # of the outputs, for a direction of the inputs
    still: Tensor  # outputs that do not move with these inputs
    copied: Tensor | None  # where the outputs are inputs handed on: which of them
    samples: Tensor  # of which this is said, `(batch,)`


def anchored(
    products: Products, stages: tuple[Stage, ...], generator: torch.Generator
) -> Tensor:
    """Return on which samples differences of y confirm all stages, `(batch,)`."""
    holds = torch.ones(products.batch, dtype=torch.bool, device=products.x.device)
    for stage in stages:
        copied = stage.copied
        if copied is not None and _is_copied(products, stage, copied, generator):
            continue
        holds &= _confirmed(products, stage, generator) | ~stage.samples
    return holds


def followed(products: Products, generator: torch.Generator) -> Tensor:
    """Return on which samples differences of y confirm the products, `(batch,)`.

    For maps of many steps, along all inputs at once. Such maps may amplify whatever is
    done to them: the step is the smaller the more they do, and an output that hardly moves
    is held against how much the others do.

    Raises:
        NoProductsError: there are no products J v to hold against.
    """
    _x, y = products.x.reshape(products.batch, -1).double(), products.y.double()
    pending = torch.ones_like(y, dtype=torch.bool)
    every = torch.arange(products.dims, device=y.device)
    ulp = _ROUNDED * torch.finfo(products.y.dtype).eps
    rough = products.epsilon > _IS_ROUGH
    for step in _ROUGH if rough else _FINE:
        direction = _direction(products, every, generator)
        claimed = products.times_transposed(direction[None])[0]
        usual = claimed.square().mean(dim=1, keepdim=True).sqrt()
        calm = y.square().mean(dim=1, keepdim=True).sqrt() / usual
        move = step * calm.clamp(max=1.0).nan_to_num(1.0)
        near, size = _difference(products, move * direction, 1.0, every)
        scale, least = (claimed.abs() + usual) * move, ulp * size
        off = (move * claimed - near).abs()
        pending &= ~(off <= _NEAR[rough] * scale + least) | (least > _UNCLEAR * scale)
        if not pending.any():
            break
        far, _ = _difference(products, move * direction, 2.0, every)
        error = (near - far).abs() + least
        pending &= ~((off <= 3.0 * error) & (error <= _UNCLEAR * scale))
        if not pending.any():
            break
    return ~pending.any(dim=1)


def _is_copied(
    products: Products, stage: Stage, copied: Tensor, generator: torch.Generator
) -> bool:
    """Return whether the outputs follow the inputs bit by bit when those are moved."""
    x = products.x.reshape(products.batch, -1)
    moved = x + _FINE[0] * _direction(products, stage.inputs, generator)
    y = products.value(moved)
    same = (y[:, stage.outputs] == moved.to(products.x)[:, copied]).all(dim=1)
    still = (y[:, stage.still] == products.y[:, stage.still]).all(dim=1)
    return bool(((same & still) | ~stage.samples).all())


def _confirmed(products: Products, stage: Stage, generator: torch.Generator) -> Tensor:
    """Return on which samples each output was once seen to move as claimed.

    An output that lands on a kink gets more tries, with other directions and steps;
    agreement by chance in six digits along a random direction does not happen.
    """
    rough = products.epsilon > _IS_ROUGH and products.method != "differences"
    looked = torch.cat([stage.outputs, stage.still])
    pending = torch.ones(
        products.batch, len(looked), dtype=torch.bool, device=looked.device
    )
    pending &= stage.samples[:, None]
    ulp = _ROUNDED * torch.finfo(products.y.dtype).eps
    for step in _ROUGH if rough else _FINE:
        direction = _direction(products, stage.inputs, generator)
        claimed = direction.new_zeros(products.batch, len(looked))
        claimed[:, : len(stage.outputs)] = stage.slope(direction[:, stage.inputs])
        near, size = _difference(products, direction, step, looked)
        least = ulp * size / step
        scale = torch.maximum(claimed.abs(), near.abs())
        pending &= ~((claimed - near).abs() <= _NEAR[rough] * scale + least)
        if not pending.any():
            break  # so near already: nothing is left to extrapolate
        far, _ = _difference(products, direction, 2 * step, looked)
        slope, error = (4 * near - far) / 3, (near - far).abs()
        scale = torch.maximum(claimed.abs(), slope.abs())
        off = (claimed - slope).abs()
        clear = error <= _UNCLEAR * scale + least
        pending &= ~(clear & (off <= _NEAR[rough] * scale + 3.0 * error + least))
        another = (clear & (off > _ANOTHER * scale + least)).any(dim=1)
        if not pending.any() or (products.batch > 1 and bool(another.all())):
            break
    return ~pending.any(dim=1)


def _difference(
    products: Products, direction: Tensor, step: float, looked: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the slopes of some outputs along a direction, and how large those are."""
    x = products.x.reshape(products.batch, -1).double()
    ahead = products.value(x + step * direction)[:, looked]
    behind = products.value(x - step * direction)[:, looked]
    return (ahead - behind) / (2 * step), torch.maximum(ahead.abs(), behind.abs())


def _direction(
    products: Products, inputs: Tensor, generator: torch.Generator
) -> Tensor:
    """Return a random direction of some inputs."""
    drawn = random_direction((products.batch, len(inputs)), generator)
    whole = torch.zeros(products.batch, products.dims, dtype=torch.float64)
    return whole.to(inputs.device).index_copy(1, inputs, drawn.to(inputs.device))


# --- a whole Jacobian -----------------------------------------------------------------

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
