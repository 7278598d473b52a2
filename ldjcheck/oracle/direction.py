"""One direction at one input: what it reports, and what is true."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.oracle import structure
from ldjcheck.oracle.autograd import truth_of
from ldjcheck.oracle.dequantization import density_of
from ldjcheck.oracle.estimator import estimate_of
from ldjcheck.oracle.jacobian import (
    log_abs_det,
)
from ldjcheck.oracle.rounding import allowance, slack_of
from ldjcheck.records import (
    Behaviour,
    Coupling,
    Direction,
    Options,
    Said,
    Side,
)
from ldjcheck.running.behaviour import accumulation_of, behaviour_of, own_part
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.writes import Watch
from ldjcheck.tolerance import (
    CHANCE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.records import Sides
    from ldjcheck.running.runner import Runner


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
        allowed = allowance(truth, None, exact, parts, pivots, base, dtype, options)
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
            allowed=allowance(
                truth, reported, exact, parts, pivots, base, dtype, options
            ),
            slack=slack_of(truth, reported, exact),
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
