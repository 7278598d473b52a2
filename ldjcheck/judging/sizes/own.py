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
    from collections.abc import Iterator, Sequence

    from ldjcheck.records import Comparison, Options, Shape
    from ldjcheck.running.held_sizes import Axes, Counted
    from ldjcheck.settling.subject import Subject

    _Taken = tuple[tuple[Counted, Axes], ...]

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
    layer fixes is that axis's, and never taken for another's. It counts all dims, or all
    places, where it is the product of other numbers that the layer holds.
    """
    from ldjcheck.settling.sizes.held import counted

    bench = subject.bench
    wrong = {v.direction for v in comparison.verdicts if v.mismatched and v.usable}
    numbers = () if bench.calls.parts or not wrong else counted(bench)
    if not 0 < len(numbers) <= _NUMBERS:
        return None
    as_it_is = _is_wrong_at(comparison, bench.shape)
    roles = itertools.chain(_as_sides(subject, numbers), _as_counts(subject, numbers))
    for taken, shapes in roles:
        if as_it_is and all(
            number.value == prod(bench.shape[start:stop])
            for number, (start, stop) in taken
        ):
            continue  # it holds its size already, and is wrong there
        sized = _held(subject, taken, shapes)
        if sized is None:
            continue
        tried = sorted(shapes[:_SIZES], key=prod)
        if all(not wrong & _mismatched(sized, shape, options) for shape in tried):
            return sized
    return None


def _as_sides(
    subject: Subject, numbers: Sequence[Counted]
) -> Iterator[tuple[_Taken, tuple[Shape, ...]]]:
    """Yield which numbers may be the sizes of the axes that the layer leaves open.

    One each, or one of them all, the side of a square; and the shapes to try them at.
    """
    shape = subject.bench.shape
    shapes = shape, *subject.others
    if len(shapes) < _SIZES:
        return
    axes = [i for i, sizes in enumerate(zip(*shapes, strict=True)) if len({*sizes}) > 1]
    fixed = {size for i, size in enumerate(shape) if i not in axes}
    own = [number for number in numbers if number.value not in fixed]
    spans = [(axis, axis + 1) for axis in axes]
    for taken in itertools.product(own, repeat=len(axes)):
        if len(set(taken)) == len(axes):
            yield tuple(zip(taken, spans, strict=True)), shapes
        elif len(set(taken)) == 1:
            yield tuple(zip(taken, spans, strict=True)), _squares(shape, axes)


def _as_counts(
    subject: Subject, numbers: Sequence[Counted]
) -> Iterator[tuple[_Taken, tuple[Shape, ...]]]:
    """Yield which numbers may count all dims, or all places: products of sizes it holds."""
    from ldjcheck.settling.sizes.held import products_held

    products = products_held(subject.bench.layer.obj)
    counts = [number for number in numbers if number.value in products]
    shapes = (subject.bench.shape, *_others(subject)) if counts else ()
    if len(shapes) < _SIZES:
        return
    rank = len(subject.bench.shape)
    for number, start in itertools.product(counts, range(min(2, rank))):
        yield ((number, (start, rank)),), shapes


def _others(subject: Subject) -> tuple[Shape, ...]:
    """Return other shapes that the layer takes; axes of a size that it holds as well."""
    from ldjcheck.settling.guesses.sizes import resized
    from ldjcheck.settling.settle import runs

    bench = subject.bench
    if len(subject.others) >= _SIZES - 1:
        return subject.others
    free = frozenset(range(len(bench.shape)))
    varied = resized(bench.shape, frozenset(), free)
    batch = bench.options.batch
    taken = (s for s in varied if runs(bench, s, choose_batch(batch, s)))
    return tuple(itertools.islice(taken, _SIZES))


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


def _held(subject: Subject, taken: _Taken, shapes: tuple[Shape, ...]) -> Subject | None:
    """Return the subject, a copy of which holds the sizes that it has at each of the shapes."""
    from ldjcheck.settling.sizes.held import with_sizes

    first, *others = shapes
    bench = with_sizes(replace(subject.bench, shape=first), dict(taken))
    if bench is None:
        return None
    told = " and ".join(f"{n.name} as its {_word(first, span)}" for n, span in taken)
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


def _word(shape: Shape, span: Axes) -> str:
    """Return what a number counts that is the size of an axis, or of several."""
    start, stop = span
    if stop - start > 1:
        return "count of dims" if start == 0 else "count of places"
    return _WHERE[len(shape)][start]


def _mismatched(subject: Subject, shape: Shape, options: Options) -> set[str]:
    """Return which directions a first look at one shape shows to be wrong, or not at all."""
    batch = choose_batch(options.batch, shape)
    bench = replace(subject.bench, shape=shape, batch=batch)
    look = first_look(replace(subject, bench=bench), options)
    return {v.direction for v in look.verdicts if v.mismatched or not v.usable}
