"""By how much a right report may differ from the exact ldj: what rounding explains.

An error model tells the least; where more is off, the difference is looked at a hair aside
and with other roundings of float32 constants. A mistake stays as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.oracle import structure
from ldjcheck.oracle.jacobian import NoJacobianError, log_abs_det
from ldjcheck.running.failed_calls import LayerRaisedError
from ldjcheck.tolerance import (
    MACHINE_EPSILON,
    SOFTPLUS_TAIL,
    VISIBLE,
    allowed_difference,
)

if TYPE_CHECKING:
    from ldjcheck.oracle.autograd import Truth
    from ldjcheck.records import Options
    from ldjcheck.running.runner import Outcome

# Relative moves that leave a smooth difference alone and redo every rounding.
_HAIR = {"float64": 1e-9, "float32": 1e-4}
_SCATTERS = 8.0  # three draws see a fraction of how far rounding can go


def allowance(
    truth: Truth,
    reported: Tensor | None,
    exact: Tensor,
    parts: Tensor,
    pivots: list[tuple[int, int]] | None,
    base: Outcome,
    dtype: str,
    options: Options,
) -> Tensor:
    """Return the allowed difference of each sample, `(batch,)`, in nats.

    `parts` are the dims' shares of log|det J|, `(batch, dims)`.
    """
    jacobian = truth.jacobian.double().cpu()
    given = options.atol is not None or options.rtol is not None
    blind = None if given else truth.error

    def allowed(noise: float) -> Tensor:
        return torch.tensor(
            [
                allowed_difference(
                    dims=jacobian.shape[1],
                    exact=float(e) if torch.isfinite(e) else 0.0,
                    reported=0.0 if reported is None else float(reported[b]),
                    condition=condition[b],
                    dtype=dtype,
                    noise=noise
                    if blind is None
                    else max(noise, _SCATTERS * float(blind[b])),
                    contraction=float(parts[b].min().exp()),
                    largest=float(base.y[b].detach().abs().max()),
                    taken=0.0 if base.taken is None else float(base.taken[b]),
                    atol=options.atol,
                    rtol=options.rtol,
                )
                for b, e in enumerate(exact)
            ],
            dtype=torch.float64,
        )

    condition = [
        structure.condition(jacobian[b : b + 1], pivots) for b in range(len(exact))
    ]
    least = allowed(0.0)
    known = torch.isfinite(exact)
    if given or (
        reported is not None and bool(((reported - exact).abs() <= least)[known].all())
    ):
        return least  # nothing is left to explain
    return allowed(_scatter(truth, reported, exact, single=base.single))


def _scatter(
    truth: Truth, reported: Tensor | None, exact: Tensor, *, single: bool
) -> float:
    """Return how far the difference scatters where only rounding is different.

    Asked only where a small difference would otherwise be called a mistake. Two things
    are tried. The input moves by a hair: a mistake's difference stays as it is, while that
    of right code that cancels (quadratic formulas in splines, 1 - tanh(x)**2) jumps. And
    constants that were made in float32 move by their own rounding: two constants that
    belong together, such as a slope and its logarithm, agree no better than that. What
    float32 has rounded on its way into the call (`single`) cannot be moved: it is allowed
    what its rounding may cost.
    """
    if truth.method == "differences":
        return 1e-8 * truth.jacobian.shape[1]
    if reported is None or not truth.map.origin.is_floating_point():
        return 0.0
    off = (reported - exact).abs()
    off = off[torch.isfinite(off)]
    least = 1e-13 * truth.jacobian.shape[1]
    if not off.numel() or not least < float(off.max()) < 10 * VISIBLE:
        return 0.0
    generator = torch.Generator().manual_seed(0)
    nearby = [_gap_nearby(truth, generator) for _ in range(3)]
    constants = [_gap_of_constants(truth, generator) for _ in range(3)]
    now = reported - exact
    tail = SOFTPLUS_TAIL * truth.jacobian.shape[1]
    size = truth.jacobian.shape[1] + float(exact[torch.isfinite(exact)].abs().max())
    return max(
        2.0 * MACHINE_EPSILON["float32"] * size if single else 0.0,
        _SCATTERS * _largest_change(nearby, now),
        _largest_change(constants, now),
        tail if float(off.max()) < tail else 0.0,
    )


def slack_of(truth: Truth, reported: Tensor | None, exact: Tensor) -> float:
    """Return how far float32 constants leave the difference open where it is large."""
    if reported is None or not truth.map.runner.constants:
        return 0.0
    now = reported - exact
    if not bool(torch.isfinite(now).all()) or float(now.abs().max()) < 10 * VISIBLE:
        return 0.0
    generator = torch.Generator().manual_seed(1)
    return _largest_change([_gap_of_constants(truth, generator) for _ in range(2)], now)


def _largest_change(gaps: list[Tensor | None], now: Tensor) -> float:
    changes = [
        (gap - now).abs().nan_to_num(0.0).max() for gap in gaps if gap is not None
    ]
    return float(max(changes, default=0.0))


def _gap_nearby(truth: Truth, generator: torch.Generator) -> Tensor | None:
    """Return reported - exact a hair from the origin."""
    origin = truth.map.origin
    hair = _HAIR[str(origin.dtype).removeprefix("torch.")]
    step = torch.randn(origin.shape, generator=generator, dtype=torch.float64).to(
        origin
    )
    return _gap(truth, origin * (1.0 + hair * step))


def _gap_of_constants(truth: Truth, generator: torch.Generator) -> Tensor | None:
    """Return reported - exact with every float32 constant moved by its rounding."""
    constants = truth.map.runner.constants
    if not constants:
        return None
    saved = [constant.detach().clone() for constant in constants]
    try:
        with torch.no_grad():
            for constant in constants:
                step = torch.rand(
                    constant.shape, generator=generator, dtype=torch.float64
                )
                inexact = (
                    constant * 4096.0
                ).frac() != 0.0  # ones, zeros, halves are exact
                # Matrices come out of longer computations: factorisations, exponentials.
                ulps = 64.0 if constant.dim() > 1 else 16.0
                off = ulps * MACHINE_EPSILON["float32"] * (step - 0.5) * inexact
                constant.mul_(1.0 + off)
        return _gap(truth, truth.map.origin)
    finally:
        with torch.no_grad():
            for constant, value in zip(constants, saved, strict=True):
                constant.copy_(value)


def _gap(truth: Truth, at: Tensor) -> Tensor | None:
    map_ = replace(truth.map, apart=True) if truth.coupling == 0.0 else truth.map
    try:
        there = map_.outcome(at).reported
        jacobian, _, _ = map_.jacobian(at)
    except (LayerRaisedError, NoJacobianError):
        return None
    if there is None:
        return None
    return there.detach().double() - log_abs_det(jacobian.double())[1]
