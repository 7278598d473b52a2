"""Layers that are made for one size, which they hold as a number and count with.

Their code runs at other sizes too, where such a count is wrong and nobody's mistake:
`ldj = self.height * self.width * self.log_scale.sum()`.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.judging.measurement import wholly_compared
from ldjcheck.settling.design import choose_batch

if TYPE_CHECKING:
    from ldjcheck.records import Comparison, Options, Shape
    from ldjcheck.settling.sizes.held import Counted
    from ldjcheck.settling.subject import Subject


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
    for taken in itertools.product(numbers, repeat=len(axes)):
        if len(set(taken)) not in (1, len(axes)):
            continue  # one number may be the side of a square
        at = shapes if len(set(taken)) == len(axes) else _squares(bench.shape, axes)
        there = [_held(subject, dict(zip(axes, taken, strict=True)), s) for s in at[:3]]
        if all(
            held is not None and not wrong & _mismatched(wholly_compared(held, options))
            for held in there
        ):
            return there[0]
    return None


def _squares(shape: Shape, axes: list[int]) -> tuple[Shape, ...]:
    """Return shapes whose axes of open size all have one and the same."""
    sides = (4, 6, 5)
    return tuple(
        tuple(side if axis in axes else size for axis, size in enumerate(shape))
        for side in sides
    )


def _held(subject: Subject, taken: dict[int, Counted], shape: Shape) -> Subject | None:
    """Return the subject at one shape of a copy that holds the sizes of its axes."""
    from ldjcheck.settling.sizes.held import with_numbers

    sizes = {number: shape[axis] for axis, number in taken.items()}
    bench = with_numbers(subject.bench, sizes)
    if bench is None:
        return None
    wanted = bench.options.batch
    words = _WHERE[len(shape)]
    told = " and ".join(f"{n.name} as its {words[axis]}" for axis, n in taken.items())
    inferred = {
        **subject.inferred,
        "shape": f"{shape}: {subject.why_shape}",
        "size": f"the ldj counts with {told}; set to the sizes of the inputs",
    }
    return replace(
        subject,
        bench=replace(bench, shape=shape, batch=choose_batch(wanted, shape)),
        others=(),
        inferred=inferred,
    )


def _mismatched(comparison: Comparison) -> set[str]:
    return {v.direction for v in comparison.verdicts if v.mismatched or not v.usable}
