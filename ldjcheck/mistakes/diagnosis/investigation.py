"""Recording a direction that went wrong, at enough configurations to tell mistakes apart."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ldjcheck.oracle.both_directions import measure_config, ready
from ldjcheck.oracle.direction import are_all_apart
from ldjcheck.oracle.preimage import only_solves
from ldjcheck.oracle.recording import UntraceableError, numbers_alone, record
from ldjcheck.oracle.sides import is_apart
from ldjcheck.records import DirectionMeasured
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.records import Calls, Config, ConfigMeasured, Direction
    from ldjcheck.running.bench import Workshop
    from ldjcheck.tape import Trace

_SMALLEST = (
    1e-9  # a singular value below this share of the largest: dims merged or lost
)


def record_directions(
    workshop: Workshop,
    calls: Calls,
    directions: Sequence[Direction],
    measured: Sequence[ConfigMeasured],
    more: Sequence[Config] = (),
) -> tuple[tuple[Trace, ...], ...]:
    """Return traces of each direction, at the measured configurations and further ones.

    A configuration counts only where the map is square, regular and finite: a layer that is
    fed a size it was not made for may silently drop or merge dims.
    """
    options = workshop.options
    if "inverse" not in directions:  # the way back is not asked about
        options = replace(options, direction="forward")
    # What is allowed was decided where the direction was found to be wrong.
    quicker = replace(
        workshop,
        options=options,
        behaviour=False,
        losses=False,
        apart=are_all_apart(measured),
        solves=only_solves(measured),
    )
    everywhere = [*measured, *(measure_config(quicker, calls, c) for c in more)]
    recorded = [
        (item, _recorded(workshop, calls, item, directions)) for item in everywhere
    ]
    return tuple(
        tuple(
            traces[direction]
            for item, traces in sorted(
                recorded, key=lambda pair: _agrees(pair[0], direction)
            )
            if direction in traces
        )
        or _by_numbers(calls, everywhere, direction)
        for direction in directions
    )


def _by_numbers(
    calls: Calls, everywhere: Sequence[ConfigMeasured], direction: Direction
) -> tuple[Trace, ...]:
    """Return traces of a direction none of whose operations can be recorded."""
    return tuple(
        numbers_alone(calls, item.config, side)
        for item in sorted(everywhere, key=lambda item: _agrees(item, direction))
        if isinstance(side := _side(item, direction), DirectionMeasured)
        and _is_regular(side)
    )


def _side(item: ConfigMeasured, direction: Direction) -> object:
    return item.forward if direction == "forward" else item.inverse


def _agrees(item: ConfigMeasured, direction: Direction) -> bool:
    """Return whether no number is wrong here: the first trace is the one that is shown."""
    side = _side(item, direction)
    if not isinstance(side, DirectionMeasured) or side.reported is None:
        return True
    return not bool(torch.isfinite(side.reported).all()) or not is_apart(side)


def _recorded(
    workshop: Workshop,
    calls: Calls,
    item: ConfigMeasured,
    directions: Sequence[Direction],
) -> dict[Direction, Trace]:
    """Return what can be recorded at one configuration, on one copy of the layer."""
    traces: dict[Direction, Trace] = {}
    sides = [item.forward if way == "forward" else item.inverse for way in directions]
    usable = [s for s in sides if isinstance(s, DirectionMeasured) and _is_regular(s)]
    if not usable:
        return traces
    runner, _, _ = ready(workshop, calls, item.config)
    for side in usable:
        with contextlib.suppress(
            LayerRaisedError, UnexpectedReturnError, UntraceableError
        ):
            trace = record(runner, item.config, side)
            if trace is not None:
                traces[side.direction] = trace
    return traces


def _is_regular(side: DirectionMeasured) -> bool:
    if side.exact is None or side.reported is None or not side.anchored:
        return False
    if not torch.isfinite(side.exact).all():
        return False
    if side.jacobian is None:
        return True  # known by the preimage alone
    singular = torch.linalg.svdvals(side.jacobian)
    return bool((singular.amin(1) > _SMALLEST * singular.amax(1)).all())
