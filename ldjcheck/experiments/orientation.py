"""Turning orientations around, to see whether a log is taken of a signed number.

Half of all scales and matrices turn space around, but one that starts at 1, or at the
spread of the data, stays positive however far a check moves it. The map does not mind a
sign; a logarithm without an absolute value does, as does one of what is held above zero.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ldjcheck.experiments import Experiment
from ldjcheck.numerics.numerical_rank import has_both_signs
from ldjcheck.numerics.tolerance import says_nothing, tells_a_mistake
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.records import (
    Approximated,
    Direction,
    Evidence,
    Further,
    Probe,
    Side,
    Sides,
)
from ldjcheck.records.observed import Observation, OneSided
from ldjcheck.running.bench import Bench, oriented
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Outcome
from ldjcheck.running.snapshot.isolation import learnable

_SEEDS = range(1, 9)  # a start of either sign shows itself at one of these, 255 in 256


def _run(bench: Bench, so_far: Evidence) -> Iterator[Observation]:
    """Yield a probe at which the log of a negative scale is NaN, or why it may be.

    A vector of scales may change sign in training, dim by dim: a NaN there is a mistake,
    and so is another number, where the map is undone there as it is elsewhere, unless the
    layer approximates its ldj.
    A matrix, or a number, may be built so that its sign is known, and a determinant does
    not pass through zero: built under other seeds, it starts with either sign or does not.
    """
    first, approximates = so_far.probes[0], bool(so_far.of(Approximated))
    if first.draw == 0 or not _has_orientation(bench):
        return
    if all(side.exact.jacobian is None for side in so_far.sides[0].both):
        return  # nor is one known where it is turned: nothing says that it is not folded
    shop = replace(bench, behaviour=False)
    runner, _, _ = shop.ready(first)
    if oriented(runner.layer, shop.fixed, "scales"):
        scales = measure_sides(shop, replace(first, turned="scales"))
        if _is_nan_alone(scales) or (not approximates and _is_wrong_alone(scales)):
            yield Further(by=EXPERIMENT.name, sides=scales)
            return
    turned = replace(first, turned="all")
    if not _may_lose_ldj(shop, turned):
        return
    sides = measure_sides(shop, turned)
    if not _is_nan_alone(sides):
        return
    starts = _starts_well(shop, first)
    if starts is False:
        yield Further(by=EXPERIMENT.name, sides=sides)
    else:
        yield OneSided(starts=None if starts is None else len(_SEEDS))


@on_failure(None)
def _starts_well(bench: Bench, first: Probe) -> bool | None:
    """Return whether the ldj is finite however the layer starts; None: it is not known."""
    untouched = replace(first, draw=0)
    for seed in _SEEDS:
        start = bench.built_anew(seed)
        if start is None:
            return None
        runner, x, _ = start.ready(untouched)
        direction: Direction = "inverse" if start.calls.forward is None else "forward"
        outcome = runner.run(direction, x, Frozen())
        if bool(torch.isfinite(outcome.y).all()) and _is_lost(outcome):
            return False
    return True


@on_failure(True)
def _may_lose_ldj(bench: Bench, turned: Probe) -> bool:
    """Return whether a direction reports no finite ldj, or cannot be looked at by a run."""
    runner, x, _ = bench.ready(turned)
    there = runner.run("forward", x, Frozen())
    if _is_lost(there) or bench.calls.inverse is None:
        return _is_lost(there)
    return _is_lost(runner.run("inverse", there.y.detach(), Frozen()))


def _is_lost(outcome: Outcome) -> bool:
    reported = outcome.reported
    return reported is not None and not bool(torch.isfinite(reported).any())


def _has_orientation(bench: Bench) -> bool:
    """Return whether a parameter is a vector or number of one sign, or a square matrix."""
    return any(
        bool((tensor > 0).all()) or bool((tensor < 0).all())
        if tensor.numel() == max(tensor.shape, default=1)
        else tensor.shape[0] == tensor.shape[1]
        for tensor in learnable(bench.layer.obj)
    )


def _is_nan_alone(measured: Sides) -> bool:
    """Return whether only an ldj is lost: the map is finite, and nowhere folded."""
    return any(
        side.said.ldj is not None and not bool(torch.isfinite(side.said.ldj).any())
        for side in _regular_sides(measured)
    )


def _is_wrong_alone(measured: Sides) -> bool:
    """Return whether every ldj is another number, and the way back, if any, leads back."""
    back = measured.inverse
    trip = back.round_trip
    if back.answered and (trip.off is None or trip.allowed is None or trip.misses):
        return False
    return any(map(_is_wrong, _regular_sides(measured)))


def _is_wrong(side: Side) -> bool:
    if side.exact.ldj is None or side.said.ldj is None or not side.disagrees:
        return False
    least = tells_a_mistake(side.dims)
    return bool(((side.said.ldj - side.exact.ldj).abs() > least).all())


def _regular_sides(measured: Sides) -> Iterator[Side]:
    """Yield the directions that report an ldj of a map that is well where it was turned.

    A way back that reports nothing but zeros tracks none.
    """
    side, back = measured.forward, measured.inverse
    if side.said.ldj is not None:
        if not _is_regular(side):
            return
        yield side
    if back.said.ldj is None:
        return
    silent = says_nothing(back.said.ldj, back.dims, back.said.dtype)
    if not silent and _is_regular(back):
        yield back


def _is_regular(side: Side) -> bool:
    """Return whether the map is known, finite, and nowhere folded."""
    exact = side.exact
    if exact.jacobian is None or not exact.anchored or not exact.is_finite:
        return False
    return not has_both_signs(exact.jacobian)


EXPERIMENT = Experiment(name="orientation", run=_run, after=("convergence",))
