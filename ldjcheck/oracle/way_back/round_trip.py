"""Whether the way back leads back: by how much it misses, and by how much it may.

Neither way is to blame for some of what lies between x and where the way back leads. A map
that repeats itself is one to one on a stretch only. One that drops bits before it adds
noise has one image for several whole numbers, and a way back leads to one of these. One
that adds noise to real numbers is undone up to that noise: x lies within what noise of any
size would bring back.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.numerics.closeness import same
from ldjcheck.numerics.tolerance import (
    MACHINE_EPSILON,
    SOLVER_RESIDUAL,
    round_trip_allowed,
)
from ldjcheck.oracle.direction import is_minus, measured_side
from ldjcheck.oracle.noise import flattest, noise_of
from ldjcheck.oracle.question import Question
from ldjcheck.records import Side
from ldjcheck.records.side import RoundTrip
from ldjcheck.running.failed_calls import FailedCallError, on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner

_SAME = 1e-8
_TURNS = (1, -1, 2, -2)  # a clamp ends the same on one side only, and not for long
_WHOLE = 1e-6  # how far from a whole number of periods a way back may land


@on_failure(False)
def has_one_image(runner: Runner, x: Tensor, back: Tensor) -> bool:
    """Return whether the map takes x and back to one point, under the same noise.

    It then has to tell the points themselves apart: one image for all would say nothing.
    """
    if back.shape != x.shape or same(back, x):
        return False
    if x.unique().numel() > 1 and back.unique().numel() == 1:
        return False
    noise = Frozen()
    there = runner.run("forward", x, noise).y.detach()
    again = runner.output("forward", back.detach().to(x.dtype))
    return bool(noise.draws) and same(again, there)


@on_failure(None)
def beyond_noise(runner: Runner, x: Tensor) -> float | None:
    """Return how far x lies outside of what comes back without noise and with all of it.

    Only noise from 0 to 1 has such ends; None of any other.
    """
    drawn = Frozen()
    runner.run("forward", x, drawn)
    noise = [d for d in drawn.draws if d.is_floating_point()]
    if not noise or not all(bool(((d >= 0) & (d <= 1)).all()) for d in noise):
        return None
    ends = []
    for end in (0.0, 1.0):
        at = Frozen([torch.full_like(d, end) for d in drawn.draws])
        y = runner.run("forward", x, at).y.detach()
        ends.append(runner.output("inverse", y).double())
    low, high = torch.minimum(*ends), torch.maximum(*ends)
    if low.shape != x.shape:
        return None
    beyond = float(torch.maximum(low - x, x - high).clamp(min=0.0).max())
    return beyond if beyond < torch.inf else None


def period_of(
    around: Callable[[Tensor], Tensor], x: Tensor, back: Tensor
) -> float | None:
    """Return the period of a map whose way back leads to another point, or None.

    `around` goes there and back, and `back` is where it leads from x, both `(batch,
    *event)`. An entry's gaps must all be multiples of one number, and the way must end the
    same for every sample when that is added to the entry: what is merely wrong does not
    repeat itself. Other entries may depend on the turns that one has made.
    """
    if back.shape != x.shape or not torch.isfinite(back).all():
        return None
    flat = x.detach().double().reshape(len(x), -1)
    gap = flat - back.detach().double().reshape(len(x), -1)
    off = gap.abs() > _WHOLE * (1.0 + flat.abs())
    found = []
    for entry in off.any(dim=0).nonzero().flatten().tolist():
        period = float(gap[off[:, entry], entry].abs().min())
        turns = gap[:, entry] / period
        if float((turns - turns.round()).abs().max()) > _WHOLE:
            continue
        step = torch.zeros_like(gap)
        step[:, entry] = period
        turned = (around(x + n * step.reshape(x.shape).to(x)) for n in _TURNS)
        if all(_ends_the_same(moved, back, entry) for moved in turned):
            found.append(period)
    return min(found, default=None)


def _ends_the_same(moved: Tensor, back: Tensor, entry: int) -> bool:
    if moved.shape != back.shape:
        return False
    a, b = (each.reshape(len(back), -1)[:, entry] for each in (moved, back))
    return same(a, b, _SAME)


# --- how far x is missed --------------------------------------------------------------

_WHOLE_NUMBERS = 1e-6
_ASIDE = 1e-3  # a step, relative: a thousand times what a search may leave
_ANOTHER = 0.1  # of a miss: a formula's follows x, and a step changes it by a hundredth
_OTHERS = 1e-2  # relative to x: from then on numbers are others
_STEPS = 256.0  # times more than its input alone, the steps of a deep map may add


def round_trip_of(asked: Question) -> RoundTrip:
    """Return how far inverse(f(x)) is from x, and how far it may be; empty where none is.

    `asked` is the way back, with the way there as the other.
    """
    inverse, forward, runner = asked.side, asked.other, asked.runner
    if not forward.answered or not inverse.answered:
        return RoundTrip()
    if forward.drops:
        return _of_what_is_kept(asked)
    if inverse.y.shape != forward.x.shape:
        return _of_another_shape(inverse, forward)
    x = forward.x
    if forward.exact.instead == "centred":
        x = x - x.mean(dim=1, keepdim=True)  # which is all that can come back
    off = gap_between(inverse.y, x)
    dtype = "float32" if runner.constants else forward.said.dtype
    allowed = _allowed(forward, inverse, dtype)
    if off > allowed and not inverse.exact.rounding_seen:
        off = _off_by_turns(runner, forward.x, inverse.y, off)
    if off > allowed and forward.exact.jacobian is None:
        allowed = max(allowed, _amplified(runner, forward, inverse, dtype))
    trip = RoundTrip(off=off, residual=off, allowed=allowed)
    if off <= allowed:
        return trip
    if off <= SOLVER_RESIDUAL:
        trip = replace(trip, scatters=_scatters(runner, forward, inverse))
    return _excused(asked, trip)


@on_failure(RoundTrip())
def _of_what_is_kept(asked: Question) -> RoundTrip:
    """Return how far f(inverse(y)) is from y: what is dropped cannot come back.

    Empty where the way there draws, which may change what is kept.
    """
    y, noise = asked.other.y, Frozen()
    if asked.side.y.shape != asked.other.x.shape:
        return RoundTrip()
    again = asked.runner.run("forward", asked.side.y, noise).y.detach()
    if noise.draws or again.shape != y.shape:
        return RoundTrip()
    allowed = _WHOLE_NUMBERS * (1.0 + float(y.abs().max()))
    return RoundTrip(off=gap_between(again, y), allowed=allowed)


@on_failure(False)
def _scatters(runner: Runner, forward: Side, inverse: Side) -> bool:
    """Return whether a way back is off by another amount altogether a small step aside.

    So it is where a search stops once it is near enough, or digits are lost. A slip in a
    formula makes it off by what follows x: a small step changes that by little, or, where
    it is next to nothing, half of the step by half as much.
    """
    x = forward.x
    if not x.is_floating_point() or forward.exact.wrt == "noise":
        return False
    generator = torch.Generator().manual_seed(runner.seed)
    v = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)
    here = inverse.y.double() - x.double()
    for far in (_ASIDE, -_ASIDE):
        half, whole = (
            _missed(runner, x + share * far * (1.0 + x.abs()) * v)
            for share in (0.5, 1.0)
        )
        if half is None or whole is None:
            return False
        moved, bent = (whole - here).norm(), (whole - 2 * half + here).norm()
        if moved <= _ANOTHER * here.norm() or bent <= _ANOTHER * moved:
            return False
    return True


def _missed(runner: Runner, x: Tensor) -> Tensor | None:
    """Return by how much the way back misses each entry; None where it is of another shape."""
    back = runner.around(x)
    return back.double() - x.double() if back.shape == x.shape else None


def _excused(asked: Question, trip: RoundTrip) -> RoundTrip:
    """Return a round trip that misses, where something else than the way back is why."""
    inverse, forward, runner = asked.side, asked.other, asked.runner
    allowed = trip.allowed
    noise = None
    if not inverse.disagrees:
        noise = noise_of(runner, forward, inverse)
    if noise is not None:
        trip = replace(trip, noise=noise.ends)
    if noise is not None and noise.excuses:  # the way back does nothing wrong
        return replace(trip, allowed=trip.off)
    if forward.exact.wrt == "noise" and inverse.exact.rounding_seen:
        if has_one_image(runner, forward.x, inverse.y):  # from image to image
            return replace(trip, off=0.0, residual=0.0, one_image=True)
    elif allowed is not None:  # what does not round leads back to x and its noise
        beyond = beyond_noise(runner, forward.x)
        if beyond is not None and beyond <= allowed:
            return replace(trip, off=beyond, residual=beyond)
    return trip


def is_meant(asked: Question) -> bool:
    """Return whether a way back leads elsewhere, and its ldj is that of one that does not.

    Minus the forward ldj at the right point, or where a solver stopped, is what it is meant
    to be: it is the map that is wrong then, and not its ldj.
    """
    inverse, forward = asked.side, asked.other
    if not (inverse.round_trip.misses and inverse.disagrees and forward.answered):
        return False
    if is_minus(inverse, forward):
        return True
    numbers = replace(asked.bench, behaviour=False)
    at = measured_side(asked.runner, "forward", inverse.y, numbers)
    return is_minus(inverse, at)


def tells(side: Side, there: Side) -> bool:
    """Return whether the way back could miss by more than what rounding may cost.

    Where the map squeezes almost to nothing, rounding alone leads anywhere. What noise
    explains is known to the last bit, however few whole numbers there are.
    """
    trip = side.round_trip
    if trip.noise is not None:
        return True
    return trip.allowed is not None and trip.allowed <= anywhere(side, there)


def anywhere(side: Side, there: Side) -> float:
    """Return the miss from which on a point is another one."""
    x = there.x if there.answered else side.y
    return _OTHERS * (1.0 + float(x.detach().abs().max()))


def gap_between(a: Tensor, b: Tensor) -> float:
    """Return the largest difference of two tensors; infinite where one is not finite."""
    gap = (a.double() - b.double()).abs()
    return float(gap.max()) if torch.isfinite(gap).all() else float("inf")


def _of_another_shape(inverse: Side, forward: Side) -> RoundTrip:
    """Return how far a way back is from x, whose shape it has not; empty where none is.

    In whatever order, the same numbers may be x in another form: flat, or turned around.
    """
    back, x = inverse.y, forward.x
    if back.shape[:1] != x.shape[:1] or forward.y.numel() != x.numel():
        return RoundTrip()
    off = math.inf
    if back.numel() == x.numel():
        in_order = (
            each.double().reshape(len(x), -1).sort(1).values for each in (back, x)
        )
        off = gap_between(*in_order)
    if off <= _OTHERS * (1.0 + float(x.abs().max())):
        return RoundTrip()
    return RoundTrip(off=off, residual=off, allowed=_WHOLE_NUMBERS)


def _allowed(forward: Side, inverse: Side, dtype: str) -> float:
    if inverse.exact.rounding_seen or not inverse.y.is_floating_point():
        return _WHOLE_NUMBERS
    if forward.exact.jacobian is None:
        return _WHOLE_NUMBERS
    return round_trip_allowed(
        x=float(forward.x.abs().max()),
        y=float(forward.y.abs().max()),
        contraction=flattest(forward.exact.jacobian),
        dtype=dtype,
    )


def _amplified(runner: Runner, forward: Side, inverse: Side, dtype: str) -> float:
    """Return how far rounding may lead a way back of which no Jacobian is known.

    Its input is moved by a little: a deep map takes what rounding does as far in
    proportion, and each of its steps adds some more.
    """
    y, moved = forward.y, 0.0
    if not y.is_floating_point() or inverse.exact.rounding_seen:
        return moved
    # far above rounding, and in proportion
    hair = math.sqrt(torch.finfo(y.dtype).eps) / 16
    generator = torch.Generator().manual_seed(runner.seed)
    for _ in range(2):
        v = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y)
        try:
            near = runner.run("inverse", y + hair * (1.0 + y.abs()) * v, Frozen())
        except FailedCallError:
            continue
        gap = gap_between(near.y, inverse.y) if near.y.shape == inverse.y.shape else 0.0
        moved = max(moved, gap if gap != float("inf") else 0.0)  # that excuses nothing
    return _STEPS * moved * MACHINE_EPSILON[dtype] / hair


def _off_by_turns(runner: Runner, x: Tensor, back: Tensor, off: float) -> float:
    """Return how far the way back is from x where whole turns of a circle do not count.

    A map that repeats itself has one image for both ends of a turn.
    """
    if not x.is_floating_point() or not back.is_floating_point():
        return off
    try:
        turn = period_of(runner.around, x, back)
    except FailedCallError:
        return off
    if turn is None:
        return off
    gap = (back.double() - x.double()) / turn
    return turn * float((gap - gap.round()).abs().max())
