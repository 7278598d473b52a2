"""Whether log|det J| is known at all in the precision that the layer really runs in.

Everything is measured in float64, in which a matrix that was made in float32 keeps its
rounding: where rank is lost, that rounding alone makes it regular. Moved by as much as
float32 cannot tell apart, its determinant is another one. The ldj of layers that squeeze
step by step does not move so, however badly conditioned they are as a whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ldjcheck.holdings import reachable
from ldjcheck.numerics.numerical_rank import kept_values, loses, singular_values
from ldjcheck.numerics.tolerance import MACHINE_EPSILON, OPEN, SQUEEZES, lost_below
from ldjcheck.oracle.derivatives.autograd import Truth
from ldjcheck.oracle.derivatives.jacobian import NoJacobianError, log_abs_det
from ldjcheck.running.failed_calls import LayerRaisedError
from ldjcheck.running.placement import is_inexact

_MOVES = 3  # of what float32 has rounded: one may leave a determinant where it is
_MADE_BY_ROUNDING = 2.0 * OPEN  # nats for each singular value that is lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What float32 knows of log|det J|, sample by sample.

    `open` is by how many nats its rounding moves it, `lost` whether it alone makes the
    Jacobian regular; both `(batch,)`.
    """

    open: Tensor
    lost: Tensor


def known_in_float32(
    truth: Truth, condition: Sequence[float], dtype: str, *, single: bool
) -> Known | None:
    """Return what is known of log|det J|, or None where the condition leaves no doubt.

    `condition` is that of J once its rows and columns are scaled to one. What float32 has
    rounded in the call itself (`single`) cannot be moved, as cannot be what was all
    computed in it: to first order, it moves log|det J| by its unit times the condition.
    """
    if max(condition, default=1.0) < SQUEEZES:
        return None
    start = truth.jacobian.double().cpu()
    lost = torch.zeros(len(start), dtype=torch.bool)
    least = torch.zeros(len(start), dtype=torch.float64)
    if single or dtype == "float32":
        unit = MACHINE_EPSILON["float32"]
        least = unit * torch.tensor(condition, dtype=torch.float64)
    constants = (*truth.map.runner.constants, *_arrays(truth.map.runner.layer))
    if not constants:
        return Known(open=least, lost=lost) if bool(least.any()) else None
    generator = torch.Generator().manual_seed(2)
    found = (_moved(truth, constants, generator) for _ in range(_MOVES))
    moved = [jacobian for jacobian in found if jacobian is not None]
    if not moved:
        return None
    before = log_abs_det(start)[1]
    changes = [(log_abs_det(m)[1] - before).abs().nan_to_num(0.0) for m in moved]
    lost = torch.tensor(
        [_is_made(one, [m[b] for m in moved]) for b, one in enumerate(start)]
    )
    return Known(open=torch.stack([least, *changes]).amax(0), lost=lost)


@contextlib.contextmanager
def moved_by_rounding(
    constants: Sequence[Tensor], generator: torch.Generator, *, units: float, of: float
) -> Iterator[None]:
    """Move numbers made in float32 by at most half of `units` of its rounding, for a while.

    Matrices come out of longer computations, factorisations and exponentials: they are
    moved by `of` such units. Ones, zeros and halves are exact, and stay.
    """
    saved = [constant.detach().clone() for constant in constants]
    try:
        with torch.no_grad():
            for constant in constants:
                step = torch.rand(
                    constant.shape, generator=generator, dtype=torch.float64
                )
                ulps = of if constant.dim() > 1 else units
                off = ulps * MACHINE_EPSILON["float32"] * (step - 0.5)
                constant.mul_(1.0 + off * is_inexact(constant))
        yield
    finally:
        with torch.no_grad():
            for constant, value in zip(constants, saved, strict=True):
                constant.copy_(value)


def _arrays(layer: Any) -> list[Tensor]:
    """Return the NumPy arrays that a layer holds in float32, as tensors of their memory."""
    return [
        torch.from_numpy(item)
        for item in reachable(layer)
        if isinstance(item, np.ndarray)
        and item.dtype == np.float64
        and item.flags.writeable
        and bool((item == item.astype(np.float32)).all())
    ]


def _moved(
    truth: Truth, constants: Sequence[Tensor], generator: torch.Generator
) -> Tensor | None:
    """Return J with all that float32 has rounded moved by as much."""
    with moved_by_rounding(constants, generator, units=1.0, of=1.0):
        try:
            return truth.map.jacobian(truth.map.origin)[0].double().cpu()
        except (LayerRaisedError, NoJacobianError):
            return None


def _is_made(matrix: Tensor, moved: Sequence[Tensor]) -> bool:
    """Return whether rounding has made the smallest singular values, by how far they move.

    A gap parts them from those that it has not.
    """
    lowest = lost_below(len(matrix), "float32")
    values = singular_values(matrix)
    if values is None or not loses(values, lowest):
        return False
    first = len(kept_values(values, lowest))
    changes = []
    for other in map(singular_values, moved):
        if other is not None and bool(values[-1] > 0) and bool(other[-1] > 0):
            changes.append(float((other / values)[first:].log().abs().mean()))
    return max(changes, default=0.0) > _MADE_BY_ROUNDING
