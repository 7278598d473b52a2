"""The exact ldj of a way back that has none of its own, by the way there that it solves.

An inverse that solves an equation numerically has no useful derivative of its own, or one
that is good to the solver's last step only; the exact value is then minus that of the way
there, at the point where it ended. One that is shown to undo the map needs no derivative
either: by the inverse function theorem, its ldj is minus that of the way there.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import MACHINE_EPSILON
from ldjcheck.oracle.derivatives.autograd import has_whole_numbers
from ldjcheck.oracle.direction import judged_by, measured_side
from ldjcheck.oracle.question import Question
from ldjcheck.oracle.structured import LARGE
from ldjcheck.oracle.way_back.round_trip import gap_between
from ldjcheck.records import Side, Sides
from ldjcheck.records.side import Exact
from ldjcheck.running.bench import Bench
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner

NEAR = 1e-3  # a way back that misses by more is no way to find the preimage
# of the exact value: a solver's own derivative, however early it stopped
_NEARLY = 1e-2
ROUNDED = 1e-6  # likewise, where many numbers are rounded one after the other
_FAR = 1e6  # times the input: what rounding alone brings about
MANY = 64  # dims from which on a way back that goes dim by dim takes long
_STEEP = 1e6  # a slope: what is singular without being steep is another matter
_PER_DIM = 10.0  # nats by which a residual of 1 moves the ldj
_STEP = 1e-3  # relative to the size of x
_UNITS = 2.0**14  # units in the last place that a way there and back may be off by
_SHARE = 1e-6  # of the step: what a deep map makes of rounding is no part of a slope


def way_back(runner: Runner, y: Tensor, forward: Side, bench: Bench) -> Side:
    """Return the way back; where it has no derivative, by the way there that it solves.

    Differences of what a solver returns cost many calls and tell its last steps: they are
    left for a way back that leads elsewhere. What left a flow is what the way back draws,
    where it can be told to. Nothing leads back from where a map is flat:
    of many dims, nothing exact is asked there.
    """
    there = None
    if forward.answered and (_is_flat(forward) or _is_beyond_numbers(forward)):
        return measured_side(runner, "inverse", y, bench, said_alone=True)
    if runner.calls.departures:
        noise = given_back(runner, forward.x, y) if forward.answered else None
        return measured_side(runner, "inverse", y, bench, noise=noise)
    if runner.promote:
        undone = _shown_to_undo(runner, y, forward, bench)
        if undone is not None:
            return undone
        plain = forward.exact.wrt == "input" and not forward.exact.rounding_seen
        there = forward.exact.jacobian if plain and forward.exact.anchored else None
    inverse = measured_side(runner, "inverse", y, bench, there)
    if there is None or not inverse.answered or inverse.exact.anchored:
        return inverse
    if inverse.y.shape == forward.x.shape and not inverse.exact.rounding_seen:
        off = gap_between(inverse.y, forward.x)
        found = _at_preimage(runner, inverse, off, bench) if off <= NEAR else None
        if found is not None:
            underived = not _follows(inverse.exact, found)
            return replace(inverse, exact=replace(found, underived=underived))
    return measured_side(runner, "inverse", y, replace(bench, solves=False))


def _shown_to_undo(
    runner: Runner, y: Tensor, forward: Side, bench: Bench
) -> Side | None:
    """Return a way back of many dims judged by the way there, where it undoes it."""
    if not forward.answered:
        return None
    plain = forward.exact.wrt == "input" and not forward.exact.rounding_seen
    by_parts = forward.exact.method in ("products", "composition")
    is_long = by_parts or forward.dims >= MANY
    if not is_long or not plain or forward.said.estimated:
        return None
    said = measured_side(runner, "inverse", y, bench, said_alone=True)
    if not said.answered or _is_lost(said, forward):
        return said
    undone = by_inversion(runner, said, forward)
    if undone is not None or by_parts or said.y.shape != forward.x.shape:
        return undone
    off = gap_between(said.y, forward.x)  # what rounding makes of many steps, it may be
    found = _at_preimage(runner, said, off, bench) if off <= ROUNDED else None
    return None if found is None else replace(said, exact=found)


def _is_lost(said: Side, forward: Side) -> bool:
    """Return whether a way back leads so far off that no Jacobian there tells anything."""
    if said.y.shape != forward.x.shape:
        return False
    off = gap_between(said.y, forward.x)
    return not off <= _FAR * (1.0 + float(forward.x.abs().max()))


def _is_flat(forward: Side) -> bool:
    """Return whether the map is singular at every sample, as far as numbers go."""
    exact = forward.exact.ldj
    large = forward.dims >= LARGE
    return large and exact is not None and bool((exact == -torch.inf).all())


def _is_beyond_numbers(forward: Side) -> bool:
    """Return whether no digit of a way back would be left at any of the samples.

    A deep flow whose parameters were moved too far is so steep at one of them or more.
    """
    jacobian = forward.exact.jacobian
    if jacobian is None or not forward.exact.is_square or forward.exact.ldj is None:
        return False
    known = jacobian[jacobian.isfinite().flatten(1).all(1)]
    if not len(known):
        return True
    if float(known.abs().max()) * forward.dims <= _STEEP:
        return False  # no singular value is above that
    sizes = torch.linalg.svdvals(known)
    lost = sizes.amin(1) <= sizes.amax(1) * torch.finfo(known.dtype).eps
    return bool(lost.all() and (sizes.amax(1) > _STEEP).any())


def only_solves(measured: Sequence[Sides]) -> bool:
    """Return whether the way back had no derivative of its own, wherever it was measured.

    One of an estimate, or of constants that rounding leaves open, is looked at as a whole.
    """
    sides = [each.inverse for each in measured]
    return bool(sides) and all(
        side.exact.underived and not side.said.estimated and not side.exact.slack
        for side in sides
    )


def stops_early(own: Exact, found: Exact) -> bool:
    """Return whether a solver's residual explains what its own derivative is off by."""
    if own.ldj is None or found.ldj is None or found.allowed is None:
        return False
    return bool(((own.ldj - found.ldj).abs() <= found.allowed).all())


def residual_allowed(off: float, dims: int) -> float:
    """Return by how much an ldj may be off, in nats, at a point that is off by so much."""
    return _PER_DIM * off * dims


def known(asked: Question) -> Side | None:
    """Return what is true at the point where the way back ended.

    Where its own derivative is not known; or good to the solver's last step only, while
    the reported value is good to more.
    """
    inverse, forward = asked.side, asked.other
    off, exact = inverse.round_trip.off, inverse.exact
    if not asked.is_back or off is None or asked.bench.calls.departures:
        return None
    derivable = exact.method != "differences" and exact.anchored
    if (
        (derivable and not inverse.disagrees)
        or exact.method == "preimage"
        or exact.rounding_seen
        or forward.exact.wrt == "noise"
        or off > NEAR
    ):
        return None
    found = _at_preimage(asked.runner, inverse, off, asked.bench)
    if found is None:
        return None
    judged = replace(inverse, exact=found)
    if derivable and (judged.disagrees or not stops_early(exact, found)):
        return None
    return replace(inverse, exact=found)


def _at_preimage(
    runner: Runner, inverse: Side, off: float, bench: Bench
) -> Exact | None:
    """Return minus the exact value of the way there, where the way back ended.

    `off` is by how much it missed. None where that value is not known.
    """
    numbers = replace(bench, behaviour=False)
    at = measured_side(runner, "forward", inverse.y, numbers)
    if at.exact.ldj is None or at.exact.allowed is None or not at.exact.anchored:
        return None
    allowed = at.exact.allowed + residual_allowed(off, at.dims)
    return replace(judged_by(inverse, at.exact, allowed), anchored=True)


def _follows(own: Exact, found: Exact) -> bool:
    """Return whether the derivative of a way back is nearly that of what it solves for."""
    if own.ldj is None or found.ldj is None:
        return False
    known = torch.isfinite(found.ldj)
    near = (own.ldj - found.ldj).abs() <= _NEARLY * (1.0 + found.ldj.abs())
    return bool((near | ~known).all())


@on_failure(None)
def by_inversion(runner: Runner, inverse: Side, forward: Side) -> Side | None:
    """Return a way back judged by the way there, where it is shown to undo it; else None.

    Where g(f(x)) = x, and g(f(x + h v)) = x + h v for a random v, the derivative of g at
    f(x) times that of f at x is the identity along v, and so everywhere but for a chance of
    zero: a matrix that is not zero takes no random vector to zero (Freivalds, 1977).
    """
    if forward.exact.ldj is None or forward.exact.allowed is None:
        return None
    x = forward.x
    if not forward.exact.anchored or inverse.y.shape != x.shape:
        return None
    size = 1.0 + float(x.abs().max())
    least = max(_UNITS * MACHINE_EPSILON[forward.said.dtype], _SHARE * _STEP) * size
    off = gap_between(inverse.y, x)
    if not off <= least:
        return None
    generator = torch.Generator().manual_seed(runner.seed)
    v = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)
    moved = x + _STEP * size * v
    back = runner.around(moved)
    if back.shape != x.shape or not gap_between(back, moved) <= least:
        return None
    allowed = forward.exact.allowed + 10.0 * off * inverse.dims
    judged = judged_by(inverse, forward.exact, allowed)
    return replace(inverse, exact=replace(judged, anchored=True))


# --- what left a flow, given back to the way back in the place of its draws ------------
# Such a way back leads to the very point that the way there started from, and its ldj is
# to be minus the exact value there.


def miss(runner: Runner, inverse: Side, forward: Side) -> float:
    """Return by how much a way back that gets what left misses, noise counted; or infinity.

    It rounds away the noise that the way there had added.
    """
    off = gap_between(inverse.y, forward.x)
    if forward.exact.wrt != "noise":
        return off
    given = given_back(runner, forward.x, inverse.x)
    if given is None or not has_whole_numbers(inverse.y):
        return float("inf")
    noise = [d for d in given.draws if d.numel() == inverse.y.numel()]  # parts are less
    runner.run("inverse", inverse.x, given, Manner(see_rounding=True))
    rounded = [o for o in given.offsets if o.numel() == inverse.y.numel()]
    if not rounded or len(noise) != 1:
        return float("inf")
    away = -torch.stack([o.double().flatten() for o in rounded]).sum(0)
    return max(off, gap_between(away, noise[0].flatten()))


@on_failure(None)
def given_back(runner: Runner, x: Tensor, y: Tensor) -> Frozen | None:
    """Return the draws of a way back that lead from y to where x came from, or None.

    What left stands at the end of y, and is drawn in the opposite order. The noise that
    the way there adds comes after: what leaves is told by a call of it.
    """
    drawn, there = Frozen(), Frozen()
    left = runner.run("forward", x, there).left
    runner.run("inverse", y, drawn)
    rest, parts = y.detach().flatten(1), []
    kept = rest.shape[1] - left
    noise = iter(there.draws)
    for draw in drawn.draws:
        count = draw.numel() // len(y)
        if rest.shape[1] > kept:
            if draw.numel() != count * len(y) or not 0 < count <= rest.shape[1] - kept:
                return None
            parts.append(rest[:, rest.shape[1] - count :].reshape(draw.shape).to(draw))
            rest = rest[:, : rest.shape[1] - count]
            continue
        again = next(noise, None)
        if again is None or again.shape != draw.shape:
            return None
        parts.append(again)
    return Frozen(parts) if parts and rest.shape[1] == kept else None
