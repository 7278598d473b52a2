"""The way back: whether it leads back, and its exact ldj where it has no derivative.

An inverse that solves an equation numerically has no useful derivative of its own, or one
that is good to the solver's last step only; the exact value is then minus that of the way
there, at the point where it ended.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.oracle.dequantization import noise_of
from ldjcheck.oracle.many_to_one import has_one_image, is_spanned_by_noise
from ldjcheck.oracle.periodicity import period_of
from ldjcheck.oracle.sides import judged_by, measured_side
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.running.guard import Frozen
from ldjcheck.tolerance import MACHINE_EPSILON, hides_mistakes, round_trip_allowed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.records import Side, Sides
    from ldjcheck.running.bench import Bench
    from ldjcheck.running.runner import Runner

_NEARLY = (
    1e-2  # of the exact value: a solver's own derivative, however early it stopped
)
_PREIMAGE = 1e-3  # a way back that misses by more is no way to find the preimage


def way_back(
    runner: Runner,
    y: Tensor,
    forward: Side,
    bench: Bench,
) -> Side:
    """Return the way back; where it has no derivative, by the way there that it solves.

    Differences of what a solver returns cost many calls and tell its last steps: they are
    left for a way back that leads elsewhere.
    """
    there = None
    exact = runner.promote and not runner.calls.departures
    if exact:
        plain = forward.exact.wrt == "input" and not forward.exact.rounding_seen
        there = forward.exact.jacobian if plain and forward.exact.anchored else None
    inverse = measured_side(runner, "inverse", y, bench, there)
    if there is None or not inverse.answered or inverse.exact.anchored:
        return inverse
    if inverse.y.shape == forward.x.shape and not inverse.exact.rounding_seen:
        off = _gap(inverse.y, forward.x)
        found = None
        if off <= _PREIMAGE:
            found = _at_preimage(runner, inverse, off, bench)
        if found is not None:
            return replace(
                found,
                exact=replace(found.exact, underived=not _follows(inverse, found)),
            )
    return measured_side(runner, "inverse", y, replace(bench, solves=False))


def only_solves(measured: Sequence[Sides]) -> bool:
    """Return whether the way back had no derivative of its own, wherever it was measured.

    One of an estimate, or of constants that rounding leaves open, is looked at as a whole.
    """
    sides = [each.inverse for each in measured]
    return bool(sides) and all(
        side.exact.underived and not side.said.estimated and not side.exact.slack
        for side in sides
    )


def _follows(inverse: Side, found: Side) -> bool:
    """Return whether the derivative of a way back is nearly that of what it solves for."""
    if inverse.exact.ldj is None or found.exact.ldj is None:
        return False
    known = torch.isfinite(found.exact.ldj)
    near = (inverse.exact.ldj - found.exact.ldj).abs() <= _NEARLY * (
        1.0 + found.exact.ldj.abs()
    )
    return bool((near | ~known).all())


def _at_preimage(
    runner: Runner, inverse: Side, off: float, bench: Bench
) -> Side | None:
    """Return a way back with minus the exact value of the way there, where it ended.

    `off` is by how much it missed. None where that value is not known.
    """
    numbers = replace(bench, behaviour=False)
    at = measured_side(runner, "forward", inverse.y, numbers)
    if at.exact.ldj is None or not at.exact.anchored:
        return None
    assert at.exact.allowed is not None
    residual = 10.0 * off * at.dims
    judged = judged_by(inverse, at, at.exact.allowed + residual)
    return replace(judged, exact=replace(judged.exact, anchored=True))


def with_round_trip(
    runner: Runner,
    inverse: Side,
    forward: Side,
    bench: Bench,
) -> Side:
    """Add how far inverse(f(x)) is from x; find the exact value there where it is not known.

    Nor is it where the derivative is good to the solver's last step only, and the reported
    value to more.
    """
    if not forward.answered:
        return inverse
    if inverse.y.shape != forward.x.shape or _drops_dims(forward):
        return inverse
    off = _gap(inverse.y, forward.x)
    allowed = _round_trip_allowed(
        forward, inverse, "float32" if runner.constants else forward.said.dtype
    )
    if off > allowed and not inverse.exact.rounding_seen:
        off = _off_by_turns(runner, forward.x, inverse.y, off)
    inverse = replace(
        inverse,
        round_trip=replace(inverse.round_trip, off=off, residual=off, allowed=allowed),
    )
    if off > allowed:
        noise = None
        if not inverse.disagrees:
            epsilon = MACHINE_EPSILON[forward.said.dtype]
            noise = noise_of(runner, forward, inverse, epsilon)
        if noise is not None:
            inverse = replace(
                inverse, round_trip=replace(inverse.round_trip, noise=noise.ends)
            )
        if noise is not None and noise.excuses:  # the way back does nothing wrong
            inverse = replace(
                inverse, round_trip=replace(inverse.round_trip, allowed=off)
            )
        elif forward.exact.wrt == "noise" and inverse.exact.rounding_seen:
            if has_one_image(runner, forward.x, inverse.y):
                inverse = _of_dropped_bits(inverse, forward)
        elif forward.exact.wrt == "input" and is_spanned_by_noise(
            runner, forward.x, allowed
        ):
            inverse = replace(
                inverse, round_trip=replace(inverse.round_trip, allowed=off)
            )
    derivable = inverse.exact.method != "differences" and inverse.exact.anchored
    if (
        (derivable and not inverse.disagrees)
        or inverse.exact.method == "preimage"
        or inverse.exact.rounding_seen
        or forward.exact.wrt == "noise"
        or off > _PREIMAGE
    ):
        return inverse
    found = _at_preimage(runner, inverse, off, bench)
    if found is None or (
        derivable and (found.disagrees or not _stops_early(inverse, found))
    ):
        return inverse
    return found


def _of_dropped_bits(inverse: Side, forward: Side) -> Side:
    """Return a way back to one of the numbers that have one image, which is all it can.

    It stretches by the bits that were dropped as well, and may count them or not.
    """
    inverse = replace(
        inverse, round_trip=replace(inverse.round_trip, off=0.0, residual=0.0)
    )  # from image to image
    if not _is_minus(inverse, forward) or forward.exact.ldj is None:
        return inverse
    return judged_by(inverse, forward, inverse.exact.allowed)


def as_meant(
    runner: Runner,
    inverse: Side,
    forward: Side,
    bench: Bench,
) -> Side:
    """Return a way back that leads elsewhere, and whether its ldj is that of one that does not.

    Minus the forward ldj at the right point, or where a solver stopped, is what it is meant
    to be: it is the map that is wrong then, and not its ldj.
    """
    if not inverse.round_trip.misses or not inverse.disagrees or not forward.answered:
        return inverse
    meant = _is_minus(inverse, forward)
    if not meant:
        at = measured_side(
            runner, "forward", inverse.y, replace(bench, behaviour=False)
        )
        meant = _is_minus(inverse, at)
    return replace(inverse, round_trip=replace(inverse.round_trip, meant=meant))


def _is_minus(inverse: Side, forward: Side) -> bool:
    """Return whether what the way back reports is minus what is true of the way there."""
    if (
        inverse.said.ldj is None
        or inverse.exact.allowed is None
        or forward.exact.ldj is None
    ):
        return False
    if forward.exact.allowed is None or not forward.exact.anchored:
        return False
    off = (inverse.said.ldj + forward.exact.ldj).abs()
    return bool((off <= inverse.exact.allowed + forward.exact.allowed).all())


def by_the_way_back(forward: Side, inverse: Side) -> Side:
    """Return a forward direction that solves for the way back, judged by that.

    Its own derivative is that of the steps that the solver took. Where it stopped early,
    which the way there and back shows, and the difference is no more than this explains,
    the exact value is minus that of the way back at the point where it stopped.
    """
    off = inverse.round_trip.off
    if not forward.answered or off is None or off > _PREIMAGE:
        return forward
    forward = replace(forward, round_trip=replace(forward.round_trip, residual=off))
    if not forward.disagrees:
        return forward
    if (
        inverse.exact.ldj is None
        or inverse.exact.allowed is None
        or not inverse.exact.anchored
    ):
        return forward
    if inverse.exact.method in ("preimage", "differences") or inverse.disagrees:
        return forward
    if float(inverse.exact.allowed.max()) > hides_mistakes(forward.dims):
        return forward  # what proves nothing is no judge
    # at the point itself, so that no residual is left
    found = judged_by(forward, inverse, inverse.exact.allowed)
    wide = replace(
        found,
        exact=replace(
            found.exact,
            allowed=inverse.exact.allowed + 10.0 * off * forward.dims,
        ),
    )
    return found if _stops_early(forward, wide) and not found.disagrees else forward


def _stops_early(inverse: Side, found: Side) -> bool:
    """Return whether the solver's residual explains what its own derivative is off by."""
    assert inverse.exact.ldj is not None
    assert found.exact.ldj is not None
    assert found.exact.allowed is not None
    return bool(
        ((inverse.exact.ldj - found.exact.ldj).abs() <= found.exact.allowed).all()
    )


def _round_trip_allowed(forward: Side, inverse: Side, dtype: str) -> float:
    if inverse.exact.rounding_seen or not inverse.y.is_floating_point():
        return 1e-6  # whole numbers
    if forward.exact.jacobian is None:
        return 1e-6
    smallest = min(
        (float(torch.linalg.matrix_norm(j, ord=-2)) for j in forward.exact.jacobian),
        default=1.0,
    )
    return round_trip_allowed(
        x=float(forward.x.abs().max()),
        y=float(forward.y.abs().max()),
        contraction=smallest,
        epsilon=MACHINE_EPSILON[dtype],
    )


def _off_by_turns(runner: Runner, x: Tensor, back: Tensor, off: float) -> float:
    """Return how far the way back is from x where whole turns of a circle do not count.

    A map that repeats itself has one image for both ends of a turn.
    """
    if not x.is_floating_point() or not back.is_floating_point():
        return off

    def around(at: Tensor) -> Tensor:
        y = runner.run("forward", at, Frozen()).y.detach()
        return runner.run("inverse", y, Frozen()).y.detach()

    try:
        turn = period_of(around, x, back)
    except (LayerRaisedError, UnexpectedReturnError):
        return off
    if turn is None:
        return off
    gap = (back.double() - x.double()) / turn
    return turn * float((gap - gap.round()).abs().max())


def _drops_dims(side: Side) -> bool:
    """Return whether the output has fewer entries: what is dropped cannot come back."""
    return side.y[0].numel() < side.dims


def _gap(a: Tensor, b: Tensor) -> float:
    """Return the largest difference of two tensors; infinite where one is not finite."""
    gap = (a.double() - b.double()).abs()
    return float(gap.max()) if torch.isfinite(gap).all() else float("inf")
