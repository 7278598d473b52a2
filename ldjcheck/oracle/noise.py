"""Layers that draw: dequantization, stochastic estimators, and how steep a map is.

A trace or a power series is often estimated with random vectors (Hutchinson, Chen et al.
2019). Then y is the same at every call and r is not: r is judged by its mean.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ldjcheck.densities.drawn_and_dropped import Draws
from ldjcheck.numerics.tolerance import is_once_more, round_trip_allowed
from ldjcheck.records import Direction, Side, Sides
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import FailedCallError, on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Outcome, Runner
from ldjcheck.tape import Node, ancestors, dependents, in_order, rerun
from ldjcheck.tape.recorder import Recorder


def steepest(jacobians: Tensor) -> float:
    """Return the largest slope of all samples along any direction, and 1 at least.

    What cannot be told magnifies nothing.
    """
    if not bool(torch.isfinite(jacobians).all()):
        return 1.0
    return max(1.0, *(float(torch.linalg.matrix_norm(j, ord=2)) for j in jacobians))


def flattest(jacobians: Tensor) -> float:
    """Return the smallest slope of all samples along any direction, where it is known."""
    finite = (j for j in jacobians if bool(torch.isfinite(j).all()))
    slopes = (float(torch.linalg.matrix_norm(j, ord=-2)) for j in finite)
    return min(slopes, default=1.0)


# --- dequantization -------------------------------------------------------------------

_RARELY = 0.25  # the share of entries at which learned noise may be off by one cell
_BEYOND = 0.25  # learned noise that is stretched a little leaves by less
_LINEAR = 1e-6  # how well u = c * draw + b must fit
_CUBES = (1.0, -3.0, 3.0, -1.0)  # what makes 0 of a quadratic function at 0, 1, 2, 3
COUNTED = 1e-4  # how well its own density must explain the ldj; the rest is judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What the noise explains of a way back that misses.

    `ends` are those of the noise where it leaves [0, 1). `excuses` says whether that, or
    rounding in x + u, is all: noise that is shifted may as well be a way back that is.
    """

    ends: tuple[float, float] | None
    excuses: bool


@on_failure(None)
def noise_of(runner: Runner, forward: Side, inverse: Side) -> Noise | None:
    """Return what the noise u explains; u is what stands before rounding, less x.

    None where the way back is wrong by itself: it misses an x in whose cell x + u lies, as
    one that rounds up does, or u is no noise. A u that comes near 0 or 1 may round over the
    edge of its cell, by no more than their arithmetic is off there.
    """
    if not inverse.exact.rounding_seen or inverse.exact.jacobian is None:
        return None
    first = Frozen()
    seen = Frozen()
    there = runner.run("forward", forward.x, first)
    back = runner.run("inverse", there.y.detach(), seen, Manner(see_rounding=True))
    x, came_back = forward.x.double(), back.y.detach().double()
    steps = [o.double() for o in seen.offsets if o.numel() == x.numel()]
    if not first.draws or came_back.shape != x.shape or not steps:
        return None
    u = torch.stack([came_back - x, *(-step.reshape(x.shape) for step in steps)]).sum(0)
    off = came_back != x
    if not off.any() or not bool(torch.isfinite(u).all()):
        return None
    edge = round_trip_allowed(
        x=float(x.abs().max()),
        y=float(there.y.detach().abs().max()),
        contraction=1.0 / steepest(inverse.exact.jacobian),
        dtype=forward.said.dtype,
    )
    cell = x.floor()  # that of x, which need not be a whole number itself
    within = u + (x - cell)
    if ((came_back != cell) & (within > edge) & (within < 1.0 - edge)).any():
        return None
    low, high = float(u.min()), float(u.max())
    ends = (low, high) if low < -edge or high > 1.0 + edge else None
    draws = [draw for draw in first.draws if draw.numel() == u.numel()]
    held = (came_back == came_back.min()) | (came_back == came_back.max())  # by a clamp
    for free in (torch.ones_like(off), ~held):
        for together in (*([draw] for draw in draws), draws):
            drawn = [draw.reshape(u.shape)[free] for draw in together]
            if (shift := _shift(u[free], drawn)) is not None:
                return Noise(ends=ends, excuses=abs(shift) <= _LINEAR)
    near = low >= -_BEYOND and high <= 1.0 + _BEYOND
    rare = float(off.double().mean()) <= _RARELY
    return Noise(ends=ends, excuses=True) if near or rare else None


def density_of(noise: Tensor, gap: Tensor) -> Tensor | None:
    """Return the log-density of each entry of the noise, `(batch, dims)`, if it is counted.

    An ldj of learned noise is -log q(u | x): that of the map from the noise to u, less the
    density of the noise itself, which is that of the generator that the noise was drawn
    by. Uniform noise from 0 to 1 has none to count, and a layer may leave it to others:
    the `gap` between what is reported and the map's own ldj decides.
    """
    for density in densities_of(noise):
        off = (gap + density.sum(1)).abs()
        counted = bool((off <= COUNTED * (1 + gap.abs())).all())
        if counted and bool((gap.abs() > off).all()):
            return density
    return None


def densities_of(noise: Tensor) -> list[Tensor]:
    """Return what the log-density of each entry may be, `(batch, dims)`."""
    flat = noise.detach().double().cpu().flatten(1)
    if bool(((flat >= 0) & (flat <= 1)).all()):
        return []
    normal = -(flat**2) / 2 - math.log(2 * math.pi) / 2
    if bool((flat.abs() <= 1).all()):  # of which a Laplace distribution is made
        return [normal, torch.full_like(flat, -math.log(2))]
    return [normal]


@on_failure(None, RuntimeError, TypeError, ValueError)  # what cannot be run again
def sign_of(noise: Tensor, runner: Runner, side: Side) -> int | None:
    """Return with which sign a report, right or wrong, counts a log-density of its noise.

    That of a normal distribution is quadratic in what is drawn, and concave: so is one whose
    mean, scale or constant are wrong. It is 1 in log q, and -1 in an ldj; None where no
    value that a report is made of is one.
    """
    drawn = Frozen(list(side.said.given))
    runner.run(side.direction, side.x, drawn)
    generator = torch.Generator().manual_seed(runner.seed + 1)  # no draw of the call
    along = torch.randn(noise.shape, generator=generator, dtype=noise.dtype)
    heard = []
    for steps in range(len(_CUBES)):
        moved = noise + steps * along
        draws = [moved.view_as(d).to(d) if _is(d, noise) else d for d in drawn.draws]
        heard.append(_heard(runner, side, draws))
    (first, total), *others = heard
    if total is None or any(len(o.nodes) != len(first.nodes) for o, _ in others):
        return None
    batch = len(side.x)
    for node in reversed(in_order(ancestors(total))):
        if node.value.shape[:1] != (batch,):
            continue
        along_it = [tape.nodes[node.index].value for tape, _ in heard]
        bend = _bend([v.double().cpu().reshape(batch, -1).sum(1) for v in along_it])
        if bend:
            slope = runner.calls.sign * _slope(total, node)
            return int(math.copysign(1, -bend * slope)) if slope else None
    return None


def _bend(values: Sequence[Tensor]) -> int:
    """Return 1 where values, `(batch,)` each, are a parabola in every sample, -1 of a hill.

    0 is what is neither.
    """
    bend = values[0] - 2 * values[1] + values[2]
    bent = torch.stack([c * v for c, v in zip(_CUBES, values, strict=True)]).sum(0)
    if not bool((bent.abs() < COUNTED * bend.abs()).all()):
        return 0
    signs = {int(each) for each in bend.sign()}
    return signs.pop() if len(signs) == 1 else 0


def _slope(total: Node, node: Node) -> float:
    """Return by how much a total grows, all of it, with a value of one for each sample."""
    order = in_order(ancestors(total))
    more = node.value + len(node.value) / node.value.numel()
    after = rerun(order, dependents(order, node), node, more, total)
    return float((after - total.value).sum())


def read_alike(sides: Sequence[Sides], like: Sequence[Sides] = ()) -> tuple[Sides, ...]:
    """Return sides whose reports of the density of noise are all log q, or all an ldj.

    Those that are right tell, of these or of others that they are to be `like`, or else the
    most: a wrong one is by chance nearer to what it does not mean.
    """
    known = like or sides
    return tuple(
        replace(
            each, forward=_read(each.forward, known), inverse=_read(each.inverse, known)
        )
        for each in sides
    )


def _read(side: Side, like: Sequence[Sides]) -> Side:
    others = [each.of(side.direction) for each in like]
    known = [other for other in others if other.exact.density is not None]
    known = [other for other in known if other.agrees] or known
    exact, most = side.exact, sum(other.exact.turned for other in known)
    if exact.density is None or exact.ldj is None or most * exact.turned >= 0:
        return side
    shares = None if exact.shares is None else -exact.shares
    turned = replace(exact, ldj=-exact.ldj, shares=shares, turned=-exact.turned)
    return replace(side, exact=turned)


def _is(draw: Tensor, noise: Tensor) -> bool:
    size = draw.numel() == noise.numel()
    return size and torch.equal(draw.reshape(noise.shape).to(noise), noise)


def _heard(
    runner: Runner, side: Side, draws: Sequence[Tensor]
) -> tuple[Recorder, Node | None]:
    """Return the tape of a call with these draws, and what is reported on it."""
    frozen = Frozen(list(draws))
    recorder = Recorder(frozen.draws)
    outcome = runner.run(side.direction, side.x, frozen, Manner(recorder=recorder))
    return recorder, recorder.find(outcome.raw)


def _shift(u: Tensor, draws: Sequence[Tensor]) -> float | None:
    """Return b where u = c * draw + b with two numbers for all entries.

    Of several draws each has a number of its own, and there are entries enough to tell.
    """
    if 2 * (len(draws) + 1) > u.numel() or not draws:
        return None
    parts = [draw.double().reshape(-1) for draw in draws]
    columns = torch.stack([*parts, torch.ones(u.numel()).double()], 1)
    found = torch.linalg.lstsq(columns, u.reshape(-1, 1)).solution
    off = (columns @ found - u.reshape(-1, 1)).abs().max()
    fits = float(off) <= _LINEAR * (1.0 + float(u.abs().max()))
    return (
        float(found[-1]) if fits and float(found[:-1].abs().max()) > _LINEAR else None
    )


# --- estimators -----------------------------------------------------------------------

_LEAST, _MOST = 32, 384  # calls at one configuration
_OPERATIONS = 100_000  # of torch, over all calls at one configuration
_SHARP = 24.0  # standard errors that the largest value should be worth


_MOST_ENTRIES = 48  # of a sample's noise, of which each takes two calls
_QUADRATIC = 1e-9  # relative


_FEW = 8  # entries, where other draws change what their mean is
_TINY = 1e-300
_SEEDS = 16
_APART = 1009  # between seeds: those of other probes are next to one another


class _Drawn(NamedTuple):
    """What one draw comes to, `(batch,)` in nats, and by how many calls.

    `is_mean` says whether it is the mean of all that is drawn.
    """

    value: Tensor
    calls: int
    is_mean: bool = False


@dataclass(slots=True)
class _Means:
    """Means over noise, by its shapes and by what is said at one reference noise of these."""

    references: dict[Hashable, dict[int, Tensor]] = field(default_factory=dict)
    known: dict[Hashable, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean and its standard error, `(batch,)` in nats, over so many calls."""

    mean: Tensor
    error: Tensor
    calls: int

    @property
    def is_exact(self) -> bool:
        """Whether chance has no part in it."""
        return not bool(self.error.any())


def estimate_of(
    runner: Runner, direction: Direction, x: Tensor, frozen: Frozen, base: Outcome
) -> Estimate | None:
    """Return the mean of an ldj that is random while y is not; None for all others."""
    if not frozen.draws or base.reported is None:
        return None
    again = replace(runner, seed=runner.seed + 1).run(direction, x, Frozen())
    if again.reported is None or again.y.shape != base.y.shape:
        return None
    if not torch.allclose(base.y, again.y, rtol=1e-12, atol=1e-12):
        return None
    if torch.allclose(base.reported, again.reported, rtol=1e-9, atol=1e-9):
        return None
    for drawn in (partial(_given_others, _Means()), _alone):
        found = _averaged(runner, direction, x, base, drawn)
        if found is not None:
            return found
    return None


def _averaged(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    base: Outcome,
    drawn: Callable[[Runner, Direction, Tensor, Outcome], _Drawn | None],
) -> Estimate | None:
    """Return the mean of what is drawn under one seed after the other."""
    most = max(_LEAST, min(_MOST, _OPERATIONS // max(1, base.operations)))
    values, calls = list[Tensor](), 0
    while len(values) < _LEAST or calls < most:
        seed = runner.seed + _APART * len(values)
        found = drawn(replace(runner, seed=seed), direction, x, base)
        if found is None:
            return None
        values.append(found.value.detach().double().cpu())
        calls += found.calls
        if found.is_mean:
            return Estimate(values[0], torch.zeros_like(values[0]), calls)
        if len(values) % _LEAST == 0:
            mean = _mean_of(values, calls)
            if bool((mean.mean.abs() >= _SHARP * mean.error).any()):
                return mean
    return _mean_of(values, calls)


def _alone(
    runner: Runner, direction: Direction, x: Tensor, base: Outcome
) -> _Drawn | None:
    said = runner.run(direction, x, Frozen()).reported
    return None if said is None else _Drawn(said, 1)


def _given_others(
    means: _Means, runner: Runner, direction: Direction, x: Tensor, base: Outcome
) -> _Drawn | None:
    """Return the mean of an ldj over the noise that it is quadratic in, given all others.

    So is e' J e, a trace by Hutchinson, added up over steps; how many terms of a series
    are taken may be drawn too, and stays as it is. Of entries that are drawn apart, with
    mean m and variance v, the mean of a quadratic f is f(m) + sum v_i f_ii / 2. None where
    it is not quadratic, or has more entries than are worth their calls.

    Where as many terms are drawn once more, the mean is one of the `means` that are known.
    """
    frozen = Frozen()
    with Draws() as heard:
        said = runner.run(direction, x, frozen).reported
    if said is None or len(heard.heard) != len(frozen.draws):
        return None
    moments = [
        each.moments if drawn.shape[:1] == x.shape[:1] else None
        for each, drawn in zip(heard.heard, frozen.draws, strict=True)
    ]
    known = [(i, *each) for i, each in enumerate(moments) if each is not None]
    entries = [(i, j) for i, mean, _ in known for j in range(mean[0].numel())]
    calls = 2 * len(entries) + 2 + len(_CUBES)
    given = len(known) < len(moments) or not _is_all(runner, direction, x, frozen, said)
    if not entries or len(entries) > (_FEW if given else _MOST_ENTRIES):
        return None
    if calls * base.operations * (_LEAST if given else 1) > _OPERATIONS:
        return None

    def at(moves: Mapping[int, Tensor]) -> Tensor:
        draws = list(frozen.draws)
        for i, mean, _ in known:
            draws[i] = mean.to(draws[i]) + moves.get(i, 0.0)
        said = runner.run(direction, x, Frozen(draws)).reported
        if said is None:
            raise FailedCallError
        return said.detach().double().cpu()

    line = {i: frozen.draws[i] - mean for i, mean, _ in known}
    shapes = tuple((i, move.shape) for i, move in line.items())
    reference = means.references.setdefault(shapes, line)
    others = shapes, tuple(at(reference).tolist())
    if others in means.known:
        return _Drawn(means.known[others], 2)
    along = [at({i: t * move for i, move in line.items()}) for t in range(len(_CUBES))]
    off = sum(c * value for c, value in zip(_CUBES, along, strict=True))
    size = 1 + torch.stack(along).abs().amax(0)
    if not bool((torch.as_tensor(off).abs() <= _QUADRATIC * size).all()):
        return None
    value = along[0].clone()
    for i, mean, variance in known:
        for j in range(mean[0].numel()):
            move = torch.zeros_like(mean)
            move.reshape(len(x), -1)[:, j] = 1.0
            bend = (at({i: move}) + at({i: -move})) / 2 - along[0]
            value = value + variance.reshape(len(x), -1)[:, j] * bend
    means.known[others] = value
    return _Drawn(value, calls, is_mean=not given)


def _is_all(
    runner: Runner, direction: Direction, x: Tensor, frozen: Frozen, said: Tensor
) -> bool:
    """Return whether these draws are all that is random: numpy and Python draw as well.

    How many terms a series has may be the same by chance, and not under so many seeds.
    """
    for count in range(1, _SEEDS):
        other = replace(runner, seed=runner.seed + _APART * count)
        again = other.run(direction, x, Frozen(list(frozen.draws))).reported
        if again is None or not is_once_more(said, again):
            return False
    return True


def _mean_of(values: list[Tensor], calls: int) -> Estimate:
    """Return a mean of calls; what its samples share by chance counts in all of them."""
    every = torch.stack(values)
    error = every.std(dim=0) / len(values) ** 0.5
    whole = ((every - every.mean(0)) / every.std(0).clamp(min=_TINY)).sum(1).std()
    alike = float(whole) / every.shape[1] ** 0.5
    return Estimate(mean=every.mean(dim=0), error=max(1.0, alike) * error, calls=calls)
