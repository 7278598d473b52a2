"""One direction at one input: what it reports, and what is true."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.measure import structure
from ldjcheck.measure.behaviour import accumulation_of, behaviour_of, own_part
from ldjcheck.measure.conditioning import known_in_float32, moved_by_rounding
from ldjcheck.measure.estimate import estimate_of
from ldjcheck.measure.exact import (
    NoJacobianError,
    log_abs_det,
)
from ldjcheck.measure.failed_calls import LayerRaisedError
from ldjcheck.measure.guard import Frozen
from ldjcheck.measure.noise import density_of
from ldjcheck.measure.truth import Truth, truth_of
from ldjcheck.measure.watch import Watch
from ldjcheck.records import (
    Behaviour,
    Coupling,
    Direction,
    DirectionMeasured,
    Options,
)
from ldjcheck.tolerance import (
    CHANCE,
    DIFFERENCED,
    MACHINE_EPSILON,
    SOFTPLUS_TAIL,
    VISIBLE,
    again,
    allowed_difference,
    lost_below,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.measure.runner import Outcome, Runner
    from ldjcheck.records import ConfigMeasured

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
) -> DirectionMeasured:
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
    measured = DirectionMeasured(
        direction=direction,
        wrt="input",
        dtype=dtype,
        x=x.detach(),
        y=base.y.detach(),
        reported=reported,
        exact=None,
        form=base.form,
        ldj_shape=tuple(getattr(base.raw, "shape", ())),
        bare=base.bare,
    )
    if behaviour:
        seen = behaviour_of(runner, direction, x, frozen, base, watch, dtype)
        measured = replace(measured, behaviour=seen)
    if reported is not None and runner.calls.accumulates:
        kept = accumulation_of(runner, direction, x, frozen, base)
        reported = own_part(reported, runner, x, kept)
        seen = replace(measured.behaviour, accumulation=kept)
        measured = replace(measured, behaviour=seen, reported=reported)
    if not base.y.dim() or len(base.y) != len(x):
        return measured
    said = None if base.shares is None else base.shares.detach().double()
    if solves:
        return replace(measured, reported_shares=said)
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
        wrt="input" if truth.map.noise is None else "noise",
        behaviour=_with_coupling(measured.behaviour, truth),
        jacobian=jacobian,
        method=truth.method,
        anchored=truth.anchored,
        rounding_seen=truth.map.reading.rounding,
        detach_seen=truth.map.reading.detach,
    )
    if jacobian.shape[1] != jacobian.shape[2] or not torch.isfinite(jacobian).all():
        return measured
    least = lost_below(jacobian.shape[1], dtype)
    if truth.method == "differences":
        least = max(least, DIFFERENCED[dtype])
    exact = log_abs_det(jacobian, least)[1]
    lost = exact == -math.inf
    if truth.lost is not None:
        exact = exact.masked_fill(truth.lost, math.nan)
    name, pivots = structure.describe_structure(jacobian)
    parts = shares = structure.shares(jacobian, pivots)
    condition = [structure.condition(one[None], pivots) for one in jacobian]
    known = known_in_float32(truth, condition, dtype, single=base.single)
    measured = replace(measured, lost=lost)
    if known is not None:
        measured = replace(measured, lost=lost | known.lost, open=known.open)
    if truth.map.noise is not None and reported is not None:
        density = density_of(truth.map.origin, reported - exact)
        if density is not None:
            exact = exact - density.sum(1)
            shares = shares - density
            measured = replace(measured, density_counted=True)
    estimate = estimate_of(runner, direction, x, frozen, base)
    if estimate is not None:
        allowed = _allowed(truth, None, exact, parts, condition, base, dtype, options)
        return replace(
            measured,
            reported=estimate.mean,
            exact=exact,
            allowed=allowed + CHANCE * estimate.error,
            shares=shares,
            structure=name,
            estimated=estimate.calls,
        )
    return replace(
        measured,
        exact=exact,
        allowed=_allowed(
            truth, reported, exact, parts, condition, base, dtype, options
        ),
        slack=_slack(truth, reported, exact),
        shares=shares,
        reported_shares=said,
        structure=name,
    )


def are_all_apart(measured: Sequence[ConfigMeasured]) -> bool:
    """Return whether samples were kept apart at all of some configurations."""
    sides = [side for each in measured for side in (each.forward, each.inverse)]
    known = [side for side in sides if isinstance(side, DirectionMeasured)]
    return bool(known) and all(_are_apart(side.behaviour) for side in known)


def _are_apart(seen: Behaviour) -> bool:
    """Return whether companions were seen to change nothing of a sample's answers."""
    return seen.coupling is None and seen.unrepeatable is None and seen.state is None


def _with_coupling(seen: Behaviour, truth: Truth) -> Behaviour:
    """Return the behaviour with the entries of J between samples counted in.

    What rounding leaves where companions cancel is none.
    """
    known = seen.coupling or Coupling(output=0.0, ldj=0.0)
    coupling, entries = truth.coupling or 0.0, truth.jacobian
    size = float(entries.abs().nan_to_num(0.0).max()) if entries.numel() else 0.0
    if coupling <= max(known.output, again(entries) * (1.0 + size)):
        return seen
    return replace(seen, coupling=replace(known, output=coupling))


def _allowed(
    truth: Truth,
    reported: Tensor | None,
    exact: Tensor,
    parts: Tensor,
    condition: Sequence[float],
    base: Outcome,
    dtype: str,
    options: Options,
) -> Tensor:
    """Return the allowed difference of each sample, `(batch,)`, in nats.

    `parts` are the dims' shares of log|det J|, `(batch, dims)`.
    """
    given = options.atol is not None or options.rtol is not None
    blind = None if given else truth.error

    def allowed(noise: float) -> Tensor:
        return torch.tensor(
            [
                allowed_difference(
                    dims=parts.shape[1],
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
        (gap - now)[torch.isfinite(now)].abs().nan_to_num(0.0, math.inf).max()
        for gap in gaps
        if gap is not None
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
    with moved_by_rounding(constants, generator, units=16.0, of=64.0):
        return _gap(truth, truth.map.origin)


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
