"""Whether an edit that is right where it was run is so by chance: of rank, value or kind.

A sum over one axis is right for vectors, `1.5 * log(2)` where a number that the layer holds
happens to be 2, and a log-density that is taken away leaves a map's own ldj. None of them
shows at other inputs: it shows at other ranks, with other numbers held, and in what is gone.
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ldjcheck.densities.written import densities_in
from ldjcheck.mistakes.engine.closeness import fits
from ldjcheck.numerics.closeness import same
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.records import Comparison, Direction, Probe, Sides
from ldjcheck.revision import Live, Replacement, StaleSourceError, call_name
from ldjcheck.revision.text import edited_functions, text_with
from ldjcheck.running.bench import Bench, built_like
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen

_FACTORS = (0.4, 1.7)  # by which a number that a layer holds is moved
_NUMBERS = 8  # that are moved
_OF_VALUES = (
    "log",
    "log2",
    "log10",
    "log1p",
    "exp",
    "sqrt",
    "full",
    "full_like",
    "pow",
)


def agrees_at(
    bench: Bench, probes: Sequence[Probe], directions: Sequence[Direction]
) -> bool:
    """Return whether a layer, as its code is now, reports the exact ldj at these probes."""
    quicker = replace(bench, behaviour=False)
    for probe in probes:
        sides = measure_sides(quicker, probe)
        for direction in directions:
            side = sides.of(direction)
            if not side.answered or side.disagrees or side.said.form is not None:
                return False
    return True


def is_in_form(bench: Bench, probe: Probe, directions: Sequence[Direction]) -> bool:
    """Return whether a layer reports numbers in the form that is promised at a probe."""
    sides = measure_sides(replace(bench, behaviour=False), probe)
    found = [sides.of(direction) for direction in directions]
    return all(side.answered and side.said.form is None for side in found)


def benches_with_other_numbers(
    bench: Bench, probe: Probe, live: Live, changes: Sequence[Replacement]
) -> list[Bench]:
    """Return the bench with each number that edits may stand for moved to other values.

    Those are the attributes that the edited functions name; where a number is written that
    was not there, or is gone, all that the layer holds. What its map does not depend on is
    a count, or kept for later, and is no such number.
    """
    names = _at_stake(live, changes)
    found = []
    for index, name, value in itertools.islice(_numbers(bench, names), _NUMBERS):
        for factor in _FACTORS:
            other = value * factor
            if isinstance(value, int):
                other = max(1, round(other + 0.5))
            moved = _with_number(bench, index, name, other)
            if moved is not None and _is_another_map(bench, moved, probe):
                found.append(moved)
    return found


def takes_density_away(
    bench: Bench,
    sides: Sides,
    direction: Direction,
    live: Live,
    changes: Sequence[Replacement],
) -> bool:
    """Return whether edits take a log-density of some value out of what is reported.

    The ldj of a step of the map may be one as well, as that of a sigmoid is: it is none.
    """
    side = sides.of(direction)
    if side.said.ldj is None:
        return False
    runner, _, _ = bench.ready(sides.probe)
    try:
        trace = record(runner, sides.probe, side)
        with live.edited(changes):
            after = runner.run(direction, side.x, Frozen(list(side.said.given)))
    except (FailedCallError, UntraceableError, StaleSourceError, SyntaxError):
        return False
    if trace is None or trace.ldj is None or after.reported is None:
        return False
    gone = side.said.ldj - after.reported.detach().double()
    if fits(trace, gone, torch.zeros_like(gone)):
        return False
    if any(fits(trace, gone, step.logdet) for step in trace.steps):
        return False
    sources = [trace.source, *(node for node in trace.nodes if node.random)]
    return any(
        fits(trace, gone, trace.sign * density.double())
        for source in sources
        for density in densities_in(trace.ldj, source, trace.batch)
    )


def is_map_broken(comparison: Comparison) -> bool:
    """Return whether there and back does not return, while both ldj cancel as reported.

    Then they are those of the map that is meant, and what is wrong is how it is computed.
    """
    if comparison.round_trip.status != "fail":
        return False
    told = [
        (sides.forward, sides.inverse)
        for sides in comparison.measurement.measured
        if sides.forward.said.ldj is not None and sides.inverse.said.ldj is not None
    ]
    return bool(told) and all(
        same(there.said.ldj, -back.said.ldj)
        for there, back in told
        if there.said.ldj is not None and back.said.ldj is not None
    )


def _numbers(bench: Bench, names: set[str] | None) -> Iterator[tuple[int, str, float]]:
    """Yield the numbers that a layer holds: of which part, under which name, and what."""
    for index, part in enumerate(_parts(bench.layer.obj)):
        for name, value in getattr(part, "__dict__", {}).items():
            if type(value) in (int, float) and (names is None or name in names):
                yield index, name, value


def _parts(layer: Any) -> list[Any]:
    return [*layer.modules()] if isinstance(layer, nn.Module) else [layer]


def _with_number(bench: Bench, index: int, name: str, value: float) -> Bench | None:
    """Return the bench whose layer holds another number; None where it cannot.

    What its class makes of that number, and keeps beside it, is made of the other one.
    """
    copy = bench.copy()
    if copy.said is not None:
        return None
    part = _parts(copy.layer)[index]
    try:
        built = built_like(part, **{name: value})
        held = {name: value} if built is None else vars(built)
        for each, now in held.items():
            if type(now) in (int, float) or isinstance(now, torch.Tensor):
                setattr(part, each, now)
        if isinstance(built, nn.Module):
            for each, buffer in built.named_buffers(recurse=False):
                part.register_buffer(each, buffer)
    except Exception:  # the layer's own building and setting may raise anything
        return None
    layer = replace(bench.layer, obj=copy.layer, rebuild=None)
    return replace(bench, layer=layer, masters={}, idle={})


def _is_another_map(bench: Bench, moved: Bench, probe: Probe) -> bool:
    """Return whether a layer runs with another number, and is another map by it."""
    try:
        y, z = (_output(each, probe) for each in (bench, moved))
    except FailedCallError:
        return False
    return y.shape == z.shape and bool(z.isfinite().all()) and not same(y, z)


def _output(bench: Bench, probe: Probe) -> Tensor:
    runner, x, _ = bench.ready(probe)
    direction: Direction = "forward" if bench.calls.forward is not None else "inverse"
    return runner.run(direction, x, Frozen()).y.detach()


def _at_stake(live: Live, changes: Sequence[Replacement]) -> set[str] | None:
    """Return the attributes that edited functions name; None where it may be any."""
    numbers: Counter[str] = Counter()
    names: set[str] = set()
    for source in live.sources.values():
        for function in edited_functions(source, changes):
            before = ast.parse(text_with(source, function, ()))
            after = ast.parse(text_with(source, function, changes))
            nodes = [*ast.walk(before), *ast.walk(after)]
            names |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
            for tree, sign in ((before, -1), (after, 1)):
                for number in (n for node in ast.walk(tree) for n in _values(node)):
                    numbers[number] += sign
    return None if any(numbers.values()) else names


def _values(node: ast.AST) -> Iterator[str]:
    """Yield the numbers among what an expression computes with: no axis, and no index."""
    inner: list[ast.expr] = []
    if isinstance(node, ast.BinOp):
        inner = [node.left, node.right]
    elif call_name(node) in _OF_VALUES:
        assert isinstance(node, ast.Call)
        inner = node.args
    for each in inner:
        if isinstance(each, ast.Constant) and type(each.value) in (int, float):
            yield repr(each.value)
