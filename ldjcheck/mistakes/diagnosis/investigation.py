"""Recording a direction that went wrong, at enough configurations to tell mistakes apart."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import torch

from ldjcheck.oracle.direction import are_all_apart
from ldjcheck.oracle.noise import read_alike
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.oracle.recording import UntraceableError, numbers_alone, record
from ldjcheck.oracle.way_back.preimage import only_solves
from ldjcheck.records import Calls, Direction, Probe, Side, Sides
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.tape import Trace

_SMALLEST = (
    1e-9  # a singular value below this share of the largest: dims merged or lost
)


def record_directions(
    bench: Bench,
    directions: Sequence[Direction],
    measured: Sequence[Sides],
    more: Sequence[Probe] = (),
) -> tuple[tuple[Trace, ...], ...]:
    """Return traces of each direction, at the measured configurations and further ones.

    A configuration counts only where the map is square, regular and finite: a layer that is
    fed a size it was not made for may silently drop or merge dims.
    """
    options = bench.options
    if "inverse" not in directions:  # the way back is not asked about
        options = replace(options, direction="forward")
    # What is allowed was decided where the direction was found to be wrong.
    quicker = replace(
        bench,
        options=options,
        behaviour=False,
        losses=False,
        apart=are_all_apart(measured),
        solves=only_solves(measured),
    )
    further = [measure_sides(quicker, probe) for probe in more]
    everywhere = [*measured, *read_alike(further, measured)]
    # What leaves the numbers open at some configurations does so at all others.
    open_ = {d: max(i.of(d).exact.slack for i in everywhere) for d in directions}
    recorded = [(item, _recorded(bench, item, directions)) for item in everywhere]
    return tuple(
        tuple(
            replace(traces[direction], slack=open_[direction])
            for item, traces in sorted(
                recorded, key=lambda pair: _agrees(pair[0], direction)
            )
            if direction in traces
        )
        or _by_numbers(bench.calls, everywhere, direction)
        for direction in directions
    )


def _by_numbers(
    calls: Calls, everywhere: Sequence[Sides], direction: Direction
) -> tuple[Trace, ...]:
    """Return traces of a direction none of whose operations can be recorded."""
    return tuple(
        numbers_alone(calls, item.probe, side)
        for item in sorted(everywhere, key=lambda item: _agrees(item, direction))
        if _is_regular(side := item.of(direction))
    )


def _agrees(item: Sides, direction: Direction) -> bool:
    """Return whether no number is wrong here: the first trace is the one that is shown."""
    side = item.of(direction)
    if side.said.ldj is None:
        return True
    return not bool(torch.isfinite(side.said.ldj).all()) or not side.disagrees


def _recorded(
    bench: Bench, item: Sides, directions: Sequence[Direction]
) -> dict[Direction, Trace]:
    """Return what can be recorded at one configuration, on one copy of the layer."""
    traces: dict[Direction, Trace] = {}
    usable = [side for way in directions if _is_regular(side := item.of(way))]
    if not usable:
        return traces
    runner, _, _ = bench.ready(item.probe)
    for side in usable:
        with contextlib.suppress(FailedCallError, UntraceableError):
            trace = record(runner, item.probe, side)
            if trace is not None:
                known = bench.layer.known_right
                traces[side.direction] = replace(trace, known_right=known)
    return traces


def _is_regular(side: Side) -> bool:
    if side.exact.ldj is None or side.said.ldj is None or not side.exact.anchored:
        return False
    if not torch.isfinite(side.exact.ldj).all():
        return False
    if side.exact.jacobian is None:
        return True  # known by the preimage alone
    singular = torch.linalg.svdvals(side.exact.jacobian)
    return bool((singular.amin(1) > _SMALLEST * singular.amax(1)).all())
