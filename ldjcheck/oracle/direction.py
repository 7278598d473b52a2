"""One direction at one input: what it reports, and what is true."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.oracle import structure
from ldjcheck.oracle.autograd import Truth, truth_of
from ldjcheck.oracle.dequantization import density_of
from ldjcheck.oracle.estimator import estimate_of
from ldjcheck.oracle.jacobian import (
    NoJacobianError,
    log_abs_det,
)
from ldjcheck.records import (
    Behaviour,
    Coupling,
    Direction,
    Options,
    Said,
    Side,
)
from ldjcheck.running.behaviour import accumulation_of, behaviour_of, own_part
from ldjcheck.running.failed_calls import LayerRaisedError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.writes import Watch
from ldjcheck.tolerance import (
    CHANCE,
    MACHINE_EPSILON,
    SOFTPLUS_TAIL,
    VISIBLE,
    allowed_difference,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.records import Sides
    from ldjcheck.running.runner import Outcome, Runner

# Relative moves that leave a smooth difference alone and redo every rounding.
_HAIR = {"float64": 1e-9, "float32": 1e-4}
_SCATTERS = 8.0  # three draws see a fraction of how far rounding can go


def measure_direction(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    options: Options,
    *,
    behaviour: bool = True,
    there: Tensor | None = None,
    apart: bool = False,
    solves: bool = False,
) -> Side:
    """Return reported and exact ldj of one direction at inputs `(batch, *event)`.

    Without `behaviour` only the two numbers are wanted, not what the call does besides;
    samples may be known to be `apart` then. With `there`, the Jacobian of the map that this
    one undoes, `(batch, dims, dims)`, a map that has no derivative of its own is left
    unanchored; where it is known that it only `solves`, nothing exact is asked of it.

    Raises:
        LayerRaisedError, UnexpectedReturnError: from running the layer.
    """
    dtype = (
        "float64"
        if x.dtype == torch.float64 or not x.is_floating_point()
        else "float32"
    )
    frozen = Frozen()
    watch = Watch()
    base = runner.run(direction, x, frozen, observer=watch)
    reported = None if base.reported is None else base.reported.detach().double().cpu()
    measured = Side(
        direction=direction,
        said=Said(
            x=x.detach(),
            y=base.y.detach(),
            dtype=dtype,
            ldj=reported,
            form=base.form,
            ldj_shape=tuple(getattr(base.raw, "shape", ())),
            bare=base.bare,
        ),
    )
    if behaviour:
        seen = behaviour_of(runner, direction, x, frozen, base, watch, dtype)
        measured = replace(measured, behaviour=seen)
    if reported is not None and runner.calls.accumulates:
        kept = accumulation_of(runner, direction, x, frozen, base)
        reported = own_part(reported, runner, x, kept)
        seen = replace(measured.behaviour, accumulation=kept)
        measured = replace(
            measured, behaviour=seen, said=replace(measured.said, ldj=reported)
        )
    if not base.y.dim() or len(base.y) != len(x):
        return measured
    said = None if base.shares is None else base.shares.detach().double()
    if solves:
        return replace(measured, said=replace(measured.said, shares=said))
    seen = measured.behaviour
    truth = truth_of(
        runner,
        direction,
        x,
        frozen,
        base,
        options,
        dtype,
        there,
        apart=apart or (behaviour and _are_apart(seen)),
    )
    jacobian = truth.jacobian.double().cpu()
    measured = replace(
        measured,
        behaviour=_with_coupling(measured.behaviour, truth.coupling or 0.0),
        exact=replace(
            measured.exact,
            wrt="input" if truth.map.noise is None else "noise",
            jacobian=jacobian,
            method=truth.method,
            anchored=truth.anchored,
            rounding_seen=truth.map.reading.rounding,
            detach_seen=truth.map.reading.detach,
        ),
    )
    if jacobian.shape[1] != jacobian.shape[2] or not torch.isfinite(jacobian).all():
        return measured
    exact = log_abs_det(jacobian)[1]
    if truth.lost is not None:
        exact = exact.masked_fill(truth.lost, math.nan)
    name, pivots = structure.describe_structure(jacobian)
    parts = shares = structure.shares(jacobian, pivots)
    if truth.map.noise is not None and reported is not None:
        density = density_of(truth.map.origin, reported - exact)
        if density is not None:
            exact = exact - density.sum(1)
            shares = shares - density
            measured = replace(
                measured, exact=replace(measured.exact, density_counted=True)
            )
    estimate = estimate_of(runner, direction, x, frozen, base)
    if estimate is not None:
        allowed = _allowed(truth, None, exact, parts, pivots, base, dtype, options)
        return replace(
            measured,
            said=replace(measured.said, ldj=estimate.mean, estimated=estimate.calls),
            exact=replace(
                measured.exact,
                ldj=exact,
                allowed=allowed + CHANCE * estimate.error,
                shares=shares,
                structure=name,
            ),
        )
    return replace(
        measured,
        exact=replace(
            measured.exact,
            ldj=exact,
            allowed=_allowed(
                truth, reported, exact, parts, pivots, base, dtype, options
            ),
            slack=_slack(truth, reported, exact),
            shares=shares,
            structure=name,
        ),
        said=replace(measured.said, shares=said),
    )


def are_all_apart(measured: Sequence[Sides]) -> bool:
    """Return whether samples were kept apart at all of some configurations."""
    known = [side for each in measured for side in each.answered]
    return bool(known) and all(_are_apart(side.behaviour) for side in known)


def _are_apart(seen: Behaviour) -> bool:
    """Return whether companions were seen to change nothing of a sample's answers."""
    return seen.coupling is None and seen.unrepeatable is None and seen.state is None


def _with_coupling(seen: Behaviour, coupling: float) -> Behaviour:
    """Return the behaviour with the entries of J between samples counted in."""
    known = seen.coupling or Coupling(output=0.0, ldj=0.0)
    if coupling <= known.output:
        return seen
    return replace(seen, coupling=replace(known, output=coupling))


def _allowed(
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
    parts = structure.shares(jacobian, pivots)
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


def _slack(truth: Truth, reported: Tensor | None, exact: Tensor) -> float:
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
