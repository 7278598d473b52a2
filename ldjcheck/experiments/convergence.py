"""Layers that approximate: their difference goes to zero as they take finer steps.

A flow that integrates an ODE with fixed steps adds up traces, and a series is cut off
somewhere. The exact ldj of the map that really ran then differs from what is reported, by
less and less as the number of steps grows. A mistake stays, unless it is of one step alone:
of more steps, the first that is not counted is ever less. Then what is reported is exactly
what the others change, and approximates nothing. Where steps move the output, what they
leave is of the map itself; a series beside a map that stays is only as good as it is long.
"""

import contextlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.experiments import Experiment
from ldjcheck.experiments.step_size import Grain, Number
from ldjcheck.numerics.tolerance import (
    SOLVER_RESIDUAL,
    hides_mistakes,
    is_once_more,
    tells_a_mistake,
)
from ldjcheck.oracle.direction import approximated, measure_direction
from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.records import (
    Approximated,
    Direction,
    Evidence,
    Options,
    Probe,
    Side,
    Sides,
)
from ldjcheck.records.observed import Observation, Stepped
from ldjcheck.revision import StaleSourceError
from ldjcheck.running.bench import Bench
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import FailedCallError, on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner
from ldjcheck.torch_ops import LOGARITHMS

_TRIED = 6  # numbers
_PAIRED = 2  # counts that are tried together with step sizes
_SPANS = 0.1  # of how far a step size moves the output, its count does as well
_FINER = 2, 4, 8, 16, 32  # the latter where the first do not say yet where it ends
_ALWAYS = 4
_FINE = 400  # steps that are enough to see it
_PATIENCE = 10  # times the usual operations that a call with finer steps may take
_LONGER = 1.3  # a call with twice the steps runs so many times the operations, at least
_SHRINKS = 1.6  # and its difference is at most this fraction: order one gives 2
_TOWARDS = 1.2  # the same before the rate is steady
_ROUNDING = 1e-9  # a difference or a miss that is no approximation's
_DENSE = 256  # times as many points
_HARDLY = 0.01  # of the first difference
_SINGLE = 1e-7  # and what points and weights that were made in float32 leave
_OF_THE_ORDER = 16.0  # times what finer steps change: a right one is off by less than 8
_DIGITS = 1e-3  # of an ldj: where steps leave it fewer, they let too much explain it
_HIGHER = 3.0  # times as much is left by steps of order one: order two gives 4
_FEW_DIGITS = 1e-2  # the same where steps of a higher order leave so much
_LEFT = 0.1  # of what the finest steps take away: what may remain in the limit


def _run(bench: Bench, so_far: Evidence) -> Iterator[Observation]:
    """Yield the directions whose numbers come together as steps get finer.

    At every probe where the numbers part, they must come together. A way back that is far
    off, from a map that approximates nothing, is a solver's that stopped early; an ldj that
    is, of such a map, is that of no map.
    """
    measured = so_far.sides
    for direction in ("forward", "inverse"):
        told = _converging(bench, so_far.probes, measured, direction)
        if direction == "inverse" and not isinstance(told, Approximated):
            yield from _coming_back(bench, so_far.probes, measured)
        if isinstance(told, Stepped):
            yield told
            continue
        if told is None or (
            direction == "inverse" and any(map(_stopped_early, measured))
        ):
            continue
        yield told
        measured = tuple(
            each.changed(approximated(each.of(direction), exactly=bench.exactly))
            for each in measured
        )


def _coming_back(
    bench: Bench, probes: tuple[Probe, ...], measured: tuple[Sides, ...]
) -> Iterator[Approximated]:
    """Yield the numbers that bring a way back to x, of one whose ldj is wrong besides."""
    backs = [each.inverse for each in measured]
    if not any(back.disagrees and _comes_back_off(back) for back in backs):
        return
    unsaid = tuple(
        each.changed(replace(back, said=replace(back.said, ldj=None)))
        for each, back in zip(measured, backs, strict=True)
    )
    told = _converging(bench, probes, unsaid, "inverse")
    if isinstance(told, Approximated) and not any(map(_stopped_early, measured)):
        yield replace(told, trip_alone=True)


def _converging(
    bench: Bench,
    probes: tuple[Probe, ...],
    measured: tuple[Sides, ...],
    direction: Direction,
) -> Approximated | Stepped | None:
    """Return the numbers that make all differences vanish; else what steps leave open."""
    apart = [
        (probe, side)
        for probe, each in zip(probes, measured, strict=True)
        if (side := each.of(direction)).answered
        and (side.said.estimated == 0 or side.said.expected)
        and ((side.disagrees and not bench.exactly) or _comes_back_off(side))
    ]
    if not apart:
        return None
    first_probe, first = apart[0]
    runner, _, _ = bench.ready(first_probe)
    grain = Grain(lambda: _operations(runner, first))
    if first.disagrees and _is_of_some_steps(bench, first_probe, first):
        return None
    usual = _operations(runner, first)
    is_off = any(_is_plainly_off(side) for _, side in apart)
    stepped: tuple[Number, ...] = ()
    for numbers in _candidates(bench, first_probe, first, grain, usual):
        if first.disagrees and any(_is_one_off(first, number) for number in numbers):
            return None
        at = bench, grain, numbers
        if is_off and not any(
            _moves(bench, first_probe, first, grain, usual, number)
            for number in numbers
        ):
            continue
        if _vanishes(*at, first_probe, first, proof=True) and all(
            _vanishes(*at, probe, side, proof=False) for probe, side in apart[1:]
        ):
            names = " and ".join(dict.fromkeys(map(str, numbers)))
            return Approximated(direction=direction, numbers=names)
        stepped = stepped or numbers
    if not (stepped and is_off):
        return None
    finer = _of_finer_steps(bench, grain, stepped, first_probe, first, 2)
    changes = _changes(first, finer)
    if first.exact.ldj is None or not math.isfinite(changes):
        return None
    slack = _OF_THE_ORDER * changes
    if slack <= _DIGITS * float(first.exact.ldj.abs().max()):
        return Stepped(direction=direction, slack=slack)
    finest = _of_finer_steps(bench, grain, stepped, first_probe, first, 4)
    rest = _changes(finer, finest)
    if not _shrink([changes, rest], _SHRINKS):
        return None  # more of the same, and no finer steps
    is_higher = _shrink([changes, rest], _HIGHER)  # no traces of its steps are meant
    if is_higher and slack <= _FEW_DIGITS * float(first.exact.ldj.abs().max()):
        return Stepped(direction=direction, slack=slack)
    traces = [
        _by_traces(bench, probe, each.of(direction))
        for probe, each in zip(probes, measured, strict=True)
    ]
    if any(each is None for each in traces):
        return None
    return Stepped(direction=direction, slack=0.0, traces=tuple(traces))


@on_failure(None, StaleSourceError, SyntaxError)
def _of_finer_steps(
    bench: Bench,
    grain: Grain,
    numbers: tuple[Number, ...],
    probe: Probe,
    side: Side,
    times: int,
) -> Side | None:
    """Return what is true of a direction whose steps are so many times finer."""
    runner, _, _ = bench.ready(probe)
    with grain.refined(runner.layer, numbers, times):
        return measure_direction(
            runner, side.direction, side.x, bench.options, behaviour=False
        )


def _changes(side: Side | None, finer: Side | None) -> float:
    """Return by how much finer steps change the exact ldj, in nats; infinite if unknown.

    Of a wrong report too that is about what a right one may be off for the steps that are
    taken: what finer steps change is of the map.
    """
    if side is None or finer is None or side.exact.ldj is None:
        return math.inf
    there = finer.exact.ldj
    off = math.inf if there is None else float((side.exact.ldj - there).abs().max())
    return off if math.isfinite(off) else math.inf


@on_failure(None, UntraceableError)
def _by_traces(bench: Bench, probe: Probe, side: Side) -> Tensor | None:
    """Return what a right report of coarse steps comes to, `(batch,)`, by their traces.

    None where the steps that are seen are not the map's, or a logarithm is taken of them.
    """
    runner, _, _ = bench.ready(probe)
    logs = record(runner, probe, side)
    traced = record(runner, probe, side, by_traces=True)
    if logs is None or traced is None or side.exact.ldj is None:
        return None
    if LOGARITHMS & {node.name.removesuffix("_") for node in logs.own}:
        return None  # it means each step, and not what they come together to
    least = _ROUNDING * (1.0 + side.exact.ldj.abs())
    is_all = bool(((logs.step_sum() - side.exact.ldj).abs() <= least).all())
    return traced.step_sum() if is_all else None


def _is_plainly_off(side: Side) -> bool:
    gap = _gap(side) if side.disagrees else None
    return gap is not None and bool((gap.abs() > tells_a_mistake(side.dims)).any())


def _is_of_some_steps(bench: Bench, probe: Probe, side: Side) -> bool:
    """Return whether what is reported is exactly what some steps in a row change, not all."""
    runner, _, _ = bench.ready(probe)
    try:
        trace = record(runner, probe, side)
    except UntraceableError:
        return False
    said, exact = side.said.ldj, side.exact.ldj
    if trace is None or said is None or exact is None or len(trace.steps) < 2:
        return False
    each = torch.stack([step.logdet for step in trace.steps])
    upto = torch.cat([torch.zeros_like(each[:1]), each.cumsum(0)])
    least = _ROUNDING * (1.0 + each.abs().sum(0))
    if not bool(((upto[-1] - exact).abs() <= least).all()):
        return False  # some of the map is not seen
    if bool(((said - exact).abs() <= least).all()):
        return False  # all steps change as much, as well as can be told
    parts = upto[None, :] - upto[:, None]  # from each point to each
    is_that = ((said - parts).abs() <= least).all(-1)
    return bool(is_that.triu(1).any())


def _is_one_off(side: Side, number: Number) -> bool:
    """Return whether one more or one fewer of so many equal shares is what is reported."""
    said, exact, count = side.said.ldj, side.exact.ldj, number.value
    if not number.is_count or said is None or exact is None:
        return False
    least = _ROUNDING * count * (1.0 + exact.abs())
    offs = ((count * said - (count + off) * exact).abs() for off in (-1, 1))
    return any(bool((off <= least).all()) for off in offs)


def _candidates(
    bench: Bench, probe: Probe, side: Side, grain: Grain, usual: int
) -> Iterator[tuple[Number, ...]]:
    """Yield the numbers that make a call longer when they are made finer.

    Points of a quadrature come before: more of them are no more operations. Then numbers
    alone: a step size may follow from their count. Then a count together with each
    step size: both may be given, and the time that they span is to stay. What leaves the
    output alone is no step size, and no count of its steps: more iterations of a solver
    change nothing, and a coefficient that is halved beside them makes another map.
    How long a call at one size is hangs neither on parameters nor on an edit of its ldj.
    """
    runner, _, _ = bench.ready(probe)
    found = grain.numbers(runner.layer)
    if runner.layer is bench.layer.obj:  # what cannot be copied is left as it is
        found = [each for each in found if each.kept not in ("held", "points")]
    yield from ((number,) for number in found if number.kept == "points")
    known = [number for number in found if number.kept != "points"]
    longer = []
    for number in [*known[: 4 * _TRIED], *reversed(known[4 * _TRIED :][-4 * _TRIED :])]:
        known_as = id(bench.layer.obj), side.direction, probe.shape, number
        if known_as not in bench.longer:
            bench.longer[known_as] = False
            runner, _, _ = bench.ready(probe)
            with (
                contextlib.suppress(StaleSourceError, SyntaxError),
                grain.refined(runner.layer, (number,), 2),
            ):
                finer = _operations(runner, side, usual) if usual else 0
                bench.longer[known_as] = finer > _LONGER * usual
        if bench.longer[known_as]:
            longer.append(number)
    yield from ((number,) for number in longer[:_TRIED])
    if not any(number.is_count for number in longer[:_PAIRED]):
        return
    at = bench, probe, side, grain, usual
    moves = {n: _moves(*at, n) for n in known if not n.is_count}
    sizes = [number for number, far in moves.items() if far][:_TRIED]
    for count in longer[:_PAIRED]:
        spanned = _moves(*at, count) / _SPANS if count.is_count else 0.0
        yield from ((count, size) for size in sizes if moves[size] <= spanned)


def _moves(
    bench: Bench, probe: Probe, side: Side, grain: Grain, usual: int, number: Number
) -> float:
    """Return how far the output is from what it was when a number alone is made finer."""
    runner, _, _ = bench.ready(probe)
    with (
        contextlib.suppress(StaleSourceError, SyntaxError, FailedCallError),
        grain.refined(runner.layer, (number,), 2),
    ):
        manner = Manner(patience=_PATIENCE * (1000 + usual))
        y = runner.run(side.direction, side.x, Frozen(), manner).y.detach().cpu()
        if y.shape != side.y.shape:
            return math.inf
        if is_once_more(y, side.y):
            return 0.0
        return float((y - side.y.to(y)).abs().nan_to_num(math.inf).max())
    return 0.0


@on_failure(0)
def _operations(runner: Runner, side: Side, usual: float = math.inf) -> int:
    """Return how many operations a call takes; 0 where it takes endlessly more than usual.

    A search whose interval is not halved any more, but divided by 4, never ends.
    """
    manner = Manner(patience=_PATIENCE * (1000 + usual))
    return runner.run(side.direction, side.x, Frozen(), manner).operations


@on_failure(False, StaleSourceError, SyntaxError)
def _vanishes(
    bench: Bench,
    grain: Grain,
    numbers: tuple[Number, ...],
    probe: Probe,
    side: Side,
    *,
    proof: bool,
) -> bool:
    """Return whether what is off shrinks at a steady rate; as a `proof`, towards zero.

    Steps that are very coarse come to that rate only as they get finer.
    """
    if any(number.kept == "points" for number in numbers):
        return _is_gone(bench, grain, numbers, probe, side)
    gaps, misses = [_gap(side)], [side.round_trip.off or 0.0]
    measured = [side]
    steps = max((n.value for n in numbers if n.is_count), default=_FINE)
    for times in _FINER:
        if times > _ALWAYS and times * steps > _FINE:
            return False
        runner, x, _ = bench.ready(probe)
        with grain.refined(runner.layer, numbers, times):
            measured.append(_measured(runner, side, bench.options))
            gaps.append(_gap(measured[-1]))
            if side.round_trip.off is not None:
                misses.append(_miss(runner, x))
        known = [gap for gap in gaps[-3:] if gap is not None]
        if _is_ldj_off(side) and len(known) < min(3, len(gaps)):
            return False
        rows = []
        if _is_ldj_off(side):
            rows.append([float(gap.abs().max()) for gap in known])
        if _comes_back_off(side):
            rows.append(misses[-3:])
        if not all(_shrink(row[-2:], _TOWARDS) for row in rows):
            return False
        if times < _ALWAYS and proof:
            continue
        steady = all(_shrink(row if proof else row[-2:], _SHRINKS) for row in rows)
        if not steady:
            continue
        if not (proof and _is_ldj_off(side)):
            return True
        if _ends_at_zero(known):
            return not _is_plainly_off(side) or _is_of_the_steps(*measured[-2:])
    return False


@on_failure(False)
def _is_gone(
    bench: Bench, grain: Grain, numbers: tuple[Number, ...], probe: Probe, side: Side
) -> bool:
    """Return whether with many more points hardly anything is left of what is off.

    Set closer across a kink, points gain now more, now less: no rate is steady.
    """
    runner, x, _ = bench.ready(probe)
    with grain.refined(runner.layer, numbers, _DENSE):
        gap = _gap(_measured(runner, side, bench.options))
        miss = _miss(runner, x) if _comes_back_off(side) else 0.0
    before = _gap(side)
    if gap is None or before is None:
        return False
    off = float(before.abs().max())
    left = max(_HARDLY * off, _SINGLE)
    return miss <= max(_HARDLY * (side.round_trip.off or 0.0), _SINGLE) and (
        not _is_ldj_off(side) or float(gap.abs().max()) <= left < off
    )


def _measured(runner: Runner, side: Side, options: Options) -> Side:
    """Return what a side is as the layer is now; one whose ldj is right, as it was."""
    if not _is_ldj_off(side):
        return side
    wanted = replace(options, atol=0.0)  # the gap alone: no rounding need be explained
    return measure_direction(runner, side.direction, side.x, wanted, behaviour=False)


def _is_of_the_steps(side: Side, finer: Side) -> bool:
    """Return whether what is off is about what finer steps change of the map's own ldj."""
    off, exact, there = side.difference, side.exact.ldj, finer.exact.ldj
    if off is None or exact is None or there is None:
        return False
    return float(off.abs().max()) <= _OF_THE_ORDER * float((exact - there).abs().max())


def _miss(runner: Runner, x: Tensor) -> float:
    """Return by how much the way back misses x."""
    return float((runner.around(x) - x).abs().max())


def _is_ldj_off(side: Side) -> bool:
    """Return whether the ldj differs, be it by what the miss of a solver could explain.

    Finer steps must take that along with the miss: what stays is a mistake.
    """
    gap = _gap(side)
    return side.disagrees or (
        gap is not None and float(gap.abs().max()) > hides_mistakes(side.dims)
    )


def _comes_back_off(side: Side) -> bool:
    return side.round_trip.misses and side.round_trip.off != math.inf


def _stopped_early(measured: Sides) -> bool:
    """Return whether the way back misses by more than a solver may, and the map is exact."""
    there, back = measured.forward, measured.inverse
    if not there.answered or there.exact.approximate:
        return False
    if not _comes_back_off(back):
        return False
    is_exact = there.said.ldj is not None and not there.disagrees
    return is_exact and (back.round_trip.off or 0.0) > SOLVER_RESIDUAL


def _shrink(sizes: list[float], rate: float) -> bool:
    """Return whether each size is well below the one before, or is rounding."""
    return all(
        after <= _ROUNDING or before >= rate * after
        for before, after in itertools.pairwise(sizes)
    )


def _ends_at_zero(gaps: list[Tensor]) -> bool:
    """Return whether the sequence, extrapolated by Aitken, ends near zero."""
    coarse, middle, fine = gaps
    first, second = middle - coarse, fine - middle
    bent = second - first
    safe = torch.where(bent == 0, torch.ones_like(bent), bent)
    limit = torch.where(bent == 0, fine, fine - second**2 / safe)
    return float(limit.abs().max()) <= _LEFT * float(second.abs().max()) + _ROUNDING


def _gap(side: Side) -> Tensor | None:
    gap = side.difference
    return gap if gap is not None and bool(torch.isfinite(gap).all()) else None


EXPERIMENT = Experiment(name="convergence", run=_run)
