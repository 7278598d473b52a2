"""Layers that are made for one size, which they hold as a number and count with.

Their code runs at other sizes too, where such a count is wrong and nobody's mistake:
`ldj = self.height * self.width * self.log_scale.sum()`.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from ldjcheck.judging.measurement import first_look
from ldjcheck.settling.design import choose_batch

if TYPE_CHECKING:
    from ldjcheck.records import Comparison, Options, Shape
    from ldjcheck.running.held_sizes import Counted
    from ldjcheck.settling.subject import Subject


_SIZES = 3  # at which it is right, if it counts with them
_NUMBERS = 4  # that are tried as sizes; a layer that counts with more is none of these
_WHERE = {1: ("size",), 2: ("channels", "length"), 3: ("channels", "height", "width")}


def at_its_own_size(
    subject: Subject, comparison: Comparison, options: Options
) -> Subject | None:
    """Return the subject of a copy that holds the sizes which it is run at; None if none is.

    A number is taken for the size of an axis only where the layer leaves that size open,
    where the number changes the ldj and nothing else, and where the ldj is right at every
    size at which both are moved together. A number that is the size of an axis which the
    layer fixes is that axis's, and never taken for another's.
    """
    from ldjcheck.settling.sizes.held import counted

    bench = subject.bench
    wrong = {v.direction for v in comparison.verdicts if v.mismatched and v.usable}
    if not wrong or len(subject.others) < 2 or bench.calls.parts:
        return None
    shapes = bench.shape, *subject.others
    axes = [i for i, sizes in enumerate(zip(*shapes, strict=True)) if len({*sizes}) > 1]
    fixed = {size for i, size in enumerate(bench.shape) if i not in axes}
    numbers = [each for each in counted(bench) if each.value not in fixed]
    if not 0 < len(numbers) <= _NUMBERS:
        return None
    as_it_is = _is_wrong_at(comparison, bench.shape)
    for taken in itertools.product(numbers, repeat=len(axes)):
        if len(set(taken)) not in (1, len(axes)):
            continue  # one number may be the side of a square
        sides = dict(zip(axes, taken, strict=True))
        if as_it_is and all(n.value == bench.shape[i] for i, n in sides.items()):
            continue  # it holds its size already, and is wrong there
        at = shapes if len(set(taken)) == len(axes) else _squares(bench.shape, axes)
        sized = _held(subject, sides, at)
        if sized is None:
            continue
        tried = sorted(at[:_SIZES], key=prod)
        if all(not wrong & _mismatched(sized, shape, options) for shape in tried):
            return sized
    return None


def _is_wrong_at(comparison: Comparison, shape: Shape) -> bool:
    sides = (m for m in comparison.measurement.measured if m.probe.shape == shape)
    return any(side.disagrees for each in sides for side in each.both)


def _squares(shape: Shape, axes: list[int]) -> tuple[Shape, ...]:
    """Return shapes whose axes of open size all have one and the same."""
    sides = (4, 6, 5)
    return tuple(
        tuple(side if axis in axes else size for axis, size in enumerate(shape))
        for side in sides
    )


def _held(
    subject: Subject, taken: dict[int, Counted], shapes: tuple[Shape, ...]
) -> Subject | None:
    """Return the subject, a copy of which holds the sizes of its axes at each of the shapes."""
    from ldjcheck.settling.sizes.held import with_sizes

    first, *others = shapes
    axes = {number: (axis, axis + 1) for axis, number in taken.items()}
    bench = with_sizes(replace(subject.bench, shape=first), axes)
    if bench is None:
        return None
    words = _WHERE[len(first)]
    told = " and ".join(f"{n.name} as its {words[axis]}" for axis, n in taken.items())
    inferred = {
        **subject.inferred,
        "shape": f"{first}: {subject.why_shape}",
        "size": f"the ldj counts with {told}; set to the sizes of the inputs",
    }
    batch = choose_batch(bench.options.batch, first)
    return replace(
        subject,
        bench=replace(bench, batch=batch),
        others=tuple(others),
        inferred=inferred,
    )


def _mismatched(subject: Subject, shape: Shape, options: Options) -> set[str]:
    """Return which directions a first look at one shape shows to be wrong, or not at all."""
    batch = choose_batch(options.batch, shape)
    bench = replace(subject.bench, shape=shape, batch=batch)
    look = first_look(replace(subject, bench=bench), options)
    return {v.direction for v in look.verdicts if v.mismatched or not v.usable}
