"""A verdict about the shape that the user gives, where a layer is right at that alone.

Such a layer counts with a number that is written down: `ldj = 5 * log_scale`.
"""

import ast
import inspect
import itertools
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ldjcheck.judging import compare
from ldjcheck.object_graph import module_of
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.readings.reading import Measured
from ldjcheck.records import Comparison, Location, Shape, Side
from ldjcheck.records.measured import SizeBound
from ldjcheck.settling.design import choose_batch


def propose(seen: Measured) -> Iterator[Measured]:
    """Yield the reading at the shape that was given alone, where other sizes mislead.

    They do where the user gives a shape, the layer is right at that, and wrong at others
    for no other reason: with the same parameters, and inputs of the same kind, it is right
    at the shape that was given.
    """
    subject, measurement = seen.subject, seen.comparison.measurement
    bench, asked = subject.bench, subject.asked
    if not asked.shape:
        return
    elsewhere = [m for m in measurement.measured if m.probe.shape != bench.shape]
    apart = next((side for m in elsewhere for side in m.both if _is_wrong(side)), None)
    if apart is None:
        return
    here = [m for m in measurement.measured if m.probe.shape == bench.shape]
    if any(_is_wrong(side) for m in here for side in m.both):
        return
    batch = choose_batch(asked.batch, bench.shape)
    values = replace(bench, behaviour=False)
    wrong = (m.probe for m in elsewhere if any(map(_is_wrong, m.both)))
    here += [
        measure_sides(values, replace(probe, shape=bench.shape, batch=batch))
        for probe in wrong
    ]
    bound = _told(apart, bench.shape, bench.layer.obj)
    there = replace(measurement, evidence=measurement.evidence.at(here), bound=bound)
    again = compare(there)
    if any(verdict.mismatched for verdict in again.verdicts):
        return
    right = {v.direction for v in again.verdicts if v.check.status == "pass"}
    if apart.direction not in right and bound.count is None:
        return  # as a split of many dims, of which smaller images alone can tell
    yield replace(seen.of(replace(subject, others=())), comparison=again)


def at_this_shape_alone(comparison: Comparison) -> Comparison:
    """Return what is known at the shape that the user gives, where time allows no more."""
    measurement = comparison.measurement
    first, *_ = measurement.measured
    here = [m for m in measurement.measured if m.probe.shape == first.probe.shape]
    if not measurement.options.shape or any(
        _is_wrong(side) for m in here for side in m.both
    ):
        return comparison
    return compare(replace(measurement, evidence=measurement.evidence.at(here)))


def _is_wrong(side: Side) -> bool:
    broken = side.answered and side.exact.ldj is not None and side.said.ldj is None
    return side.disagrees or (broken and side.said.form is not None)


def _told(side: Side, shape: Shape, layer: Any) -> SizeBound:
    """Return where the layer is wrong, and the count that its source writes, if it does."""
    count, location = _written_count(layer, shape)
    difference = side.difference
    off = None
    if difference is not None:
        off = float(difference[difference.abs().nan_to_num(0.0).argmax()])
    return SizeBound(
        direction=side.direction,
        shape=shape,
        other=side.shape,
        difference=off,
        count=count,
        location=location,
    )


def _written_count(layer: Any, shape: Shape) -> tuple[int | None, Location | None]:
    """Return the one whole number in the layer's source that counts axes of the shape."""
    counts = {
        math.prod(axes)
        for size in range(1, len(shape) + 1)
        for axes in itertools.combinations(shape, size)
    }
    found = [
        (value, function, line)
        for function in _methods(type(layer))
        for value, line in _factors(function)
        if value in counts and value > 1
    ]
    if len({value for value, *_ in found}) != 1:
        return None, None
    value, function, written = found[0]
    lines, first = inspect.getsourcelines(function)
    line = first + written - 1
    return value, Location(
        file=inspect.getsourcefile(function) or "",
        line=line,
        column=0,
        function=function.__name__,
        text=lines[written - 1].strip(),
    )


def written_factors(layer: Any) -> Iterator[int]:
    """Yield the whole numbers by which something is multiplied in the layer's source."""
    for function in _methods(type(layer)):
        yield from (value for value, _ in _factors(function))


def _methods(kind: type) -> Iterator[Any]:
    for base in kind.__mro__:
        module = sys.modules.get(base.__module__)
        if module is None or module_of(base).startswith(("torch.", "builtins")):
            continue
        for item in vars(base).values():
            if inspect.isfunction(item) and item.__name__ != "__init__":
                yield item


def _factors(function: Any) -> Iterator[tuple[int, int]]:
    """Yield whole numbers by which something is multiplied or divided, and their lines."""
    try:
        lines = inspect.getsourcelines(function)[0]
        indent = len(lines[0]) - len(lines[0].lstrip())
        tree = ast.parse("".join(line[indent:] for line in lines))
    except (OSError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
            for side in (node.left, node.right):
                number = side.operand if isinstance(side, ast.UnaryOp) else side
                if isinstance(number, ast.Constant) and type(number.value) is int:
                    yield number.value, number.lineno
