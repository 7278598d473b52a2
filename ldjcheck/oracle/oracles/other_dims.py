"""Where the Jacobian is not square: what an ldj is compared with instead."""

import math
from dataclasses import replace

from ldjcheck.oracle.oracles import chart, made_up_dims, split_integral, volume
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.oracle.oracles.split_integral import MOST_DROPPED
from ldjcheck.oracle.question import Oracle, Question, answered
from ldjcheck.records import Probe, Side, Sides
from ldjcheck.running.bench import Bench
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.side_effects import Watch
from ldjcheck.running.runner import Runner

OF_OTHER_DIMS: tuple[Oracle, ...] = (
    chart.known,
    made_up_dims.known,
    split_integral.known,
    volume.known,
)
"""Asked of maps that change the number of dims."""

_ASKED = 2  # probes: each costs an integral per sample and dropped dim


def with_stand_ins(bench: Bench, measured: tuple[Sides, ...]) -> tuple[Sides, ...]:
    """Return the measurements with what stands in for the exact ldj of resizing maps."""
    if not any(side.exact.is_resizing for each in measured for side in each.both):
        return measured
    changed = tuple(_stood_in(bench, each) for each in measured[:_ASKED])
    smaller = None if bench.options.inputs else _smaller(changed[0])
    if smaller is not None:
        again = measure_sides(bench, smaller)
        measured = (*measured, _stood_in(bench, again))
    return (*changed, *measured[_ASKED:])


def _smaller(measured: Sides) -> Probe | None:
    """Return the probe on smaller images, where a split drops too many dims."""
    side, probe = measured.forward, measured.probe
    shape = probe.shape
    if side.exact.jacobian is None:
        return None
    if side.exact.instead != "split" or side.exact.ldj is not None or len(shape) < 2:
        return None
    kept = side.exact.jacobian.shape[1] / side.exact.jacobian.shape[2]
    while math.prod(shape) * (1 - kept) > MOST_DROPPED and max(shape[1:]) > 1:
        shape = (shape[0], *(max(1, size // 2) for size in shape[1:]))
    fits = math.prod(shape) * (1 - kept) <= MOST_DROPPED
    return replace(probe, shape=shape) if fits and shape != probe.shape else None


def _stood_in(bench: Bench, measured: Sides) -> Sides:
    probe, forward, inverse = measured.probe, measured.forward, measured.inverse
    runner, _, _ = bench.ready(probe)

    def asked(side: Side, other: Side) -> Side:
        if not side.exact.is_resizing:
            return side
        question = Question(
            bench=bench, probe=probe, runner=runner, side=side, other=other
        )
        return answered(OF_OTHER_DIMS, question)

    forward = asked(forward, inverse)
    inverse = asked(inverse, forward)
    return replace(
        measured, forward=_placed(runner, forward), inverse=_placed(runner, inverse)
    )


def _placed(runner: Runner, side: Side) -> Side:
    """Return the measurement with where the ldj was made, which no trace can tell."""
    if not side.exact.is_resizing:
        return side
    watch = Watch(remember=True)
    try:
        raw = runner.run(side.direction, side.x, Frozen(), Manner(writes=watch)).raw
    except FailedCallError:
        return side
    return replace(side, said=replace(side.said, made_at=watch.made(raw)))
