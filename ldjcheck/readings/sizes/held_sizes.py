"""Layers that are made for one size, which they hold as a number and count with.

Their code runs at other sizes too, where such a count is wrong and nobody's mistake:
`ldj = self.height * self.width * self.log_scale.sum()`.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from ldjcheck.readings.claims import bit_depth
from ldjcheck.readings.reading import Measured, Reading, look_at
from ldjcheck.readings.sizes.smaller import shows_in_long_calls
from ldjcheck.readings.sizes.typed_sizes import stated_sizes
from ldjcheck.records import Comparison, Shape
from ldjcheck.running.held_state import Axes, Counted
from ldjcheck.settling.design import choose_batch
from ldjcheck.settling.guesses.shapes import (
    is_named_axis,
    is_named_side,
    is_named_size,
    is_of_others,
    usual_images,
    with_smaller,
)
from ldjcheck.settling.settle import runs
from ldjcheck.settling.sizes import (
    counted,
    is_its_only_number,
    products_held,
    with_sizes,
)
from ldjcheck.settling.subject import Subject

_Taken = tuple[tuple[Counted, Axes], ...]

_SIZES = 3  # at which it is right, if it counts with them
_NUMBERS = 4  # that are tried as sizes; a layer that counts with more is none of these
_WHERE = {
    1: ("size",),
    2: ("channels", "length"),
    3: ("channels", "height", "width"),
    4: ("channels", "frames", "height", "width"),
}


@dataclass(frozen=True, slots=True)
class _Role:
    """What numbers of a layer may be: sizes of these axes, or counts of several."""

    taken: _Taken
    shapes: tuple[Shape, ...]  # to try it at
    why: str | None = None  # these have more axes than the one that was looked at
    is_product: bool = False  # of sizes that the layer holds as well


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading of a copy that holds the sizes which it is run at, if one is right.

    A number is taken for the size of an axis only where the layer leaves that size open,
    where the number changes the ldj and nothing else, and where the ldj is right at every
    size at which both are moved together. A number that is the size of an axis which the
    layer fixes is that axis's, and never taken for another's. It counts all dims, or all
    places, where it is the product of other numbers that the layer holds, or where it
    holds no other. The axis that a vector lacks is one whose size the ldj counts with. For
    these, where nothing else tells, the number's name must be a size's: a count of layers
    fits as well at some size, and is a mistake.

    A layer that is wrong at the very sizes that it holds is looked at where they are moved
    together as well, if their names are those of axes, or where a number is the product of
    others, and so is one that is right there in
    one direction alone: elsewhere they would be wrong twice.
    """
    subject, comparison = seen.subject, seen.comparison
    bench = subject.bench
    known = {v.direction for v in comparison.verdicts if v.usable}
    wrong = {v.direction for v in comparison.verdicts if v.mismatched and v.usable}
    numbers = () if bench.calls.parts or not wrong else counted(bench)
    if not 0 < len(numbers) <= _NUMBERS:
        return
    as_it_is = _is_wrong_at(comparison, bench.shape)
    in_part: Reading | None = None
    wrong_there: _Role | None = None
    for role in itertools.chain(
        _as_sides(subject, numbers),
        _as_counts(subject, numbers),
        _as_further_axes(subject, numbers),
    ):
        if (
            role.taken
            and as_it_is
            and all(n.value == axes.count(bench.shape) for n, axes in role.taken)
        ):
            named = all(is_named_axis(number.name) for number, _ in role.taken)
            if named or role.is_product:
                wrong_there = wrong_there or role
            continue
        sized = _held(seen.reading, role)
        if sized is None:
            continue
        tried = sorted(role.shapes[:_SIZES], key=prod)
        if sized.claim == "density":  # of pixels, both hide what the other is
            sized = next(bit_depth.propose(look_at(sized, tried[0])), sized)
        right, spoiled = set(wrong), set[str]()
        for shape in tried:
            off = _mismatched(sized, shape) if right else set()
            right, spoiled = right - off, spoiled | (off & known - wrong)
        if spoiled:
            continue
        if right == wrong:
            yield sized
            return
        in_part = in_part or (sized if right else None)
    # In long calls it is looked into where events are small, and holds sizes there.
    if not (in_part or wrong_there is None or shows_in_long_calls(subject, comparison)):
        in_part = _held(seen.reading, _widely(subject, wrong_there))
    if in_part is not None:
        yield in_part


def _as_sides(subject: Subject, numbers: Sequence[Counted]) -> Iterator[_Role]:
    """Yield which numbers may be the sizes of the axes that the layer leaves open.

    One each, or one of them all, the side of a square; and the shapes to try them at.
    """
    shape = subject.bench.shape
    for shapes in _varied(subject, numbers):
        axes = [i for i, n in enumerate(zip(*shapes, strict=True)) if len({*n}) > 1]
        fixed = {size for i, size in enumerate(shape) if i not in axes}
        own = [
            number
            for number in numbers
            if number.value not in fixed and not is_of_others(number.name)
        ]
        spans = [Axes(axis, axis + 1) for axis in axes]
        for taken in itertools.permutations(own, len(axes)):
            yield _Role(tuple(zip(taken, spans, strict=True)), shapes)
        for side in own if len(axes) > 1 else ():
            every = tuple((side, span) for span in spans)
            yield _Role(every, _squares(shape, axes))


def _widely(subject: Subject, role: _Role) -> _Role:
    """Return the same where all axes have other sizes, if the layer takes these."""
    every = frozenset(range(len(subject.bench.shape)))
    shapes = subject.bench.shape, *_taken_of(subject, every)
    return role if len(shapes) < _SIZES else replace(role, shapes=shapes)


def _varied(
    subject: Subject, numbers: Sequence[Counted]
) -> Iterator[tuple[Shape, ...]]:
    """Yield shapes that the layer takes: those known, and of other sizes that it counts."""
    shape, known = subject.bench.shape, (subject.bench.shape, *subject.others)
    if len(known) >= _SIZES:
        yield known
    values = {number.value for number in numbers}
    # Whichever of its numbers was taken for the size of a vector.
    is_vector = len(shape) == 1 and all(is_named_size(n.name) for n in numbers)
    axes = frozenset(i for i, size in enumerate(shape) if is_vector or size in values)
    open_already = {i for i, n in enumerate(zip(*known, strict=True)) if len({*n}) > 1}
    if axes and not axes <= open_already:
        shapes = shape, *_taken_of(subject, axes)
        if len(shapes) >= _SIZES:
            yield shapes
    # Or it was built for another size of an axis, which may be any.
    if all(is_named_size(n.name) for n in numbers) and not values & {*shape}:
        for axis in {*range(1, len(shape))} - open_already:
            shapes = shape, *_taken_of(subject, frozenset({axis}))
            if len(shapes) >= _SIZES:
                yield shapes


def _as_counts(subject: Subject, numbers: Sequence[Counted]) -> Iterator[_Role]:
    """Yield which numbers may count all dims, or all places: products of sizes it holds.

    Sublayers that hold the same number are moved together. Of a layer that holds one number
    alone it may be a product that is not kept apart, of axes that are all open. So is what
    the sizes come to that its class is built with where nobody says otherwise.
    """
    layer, rank = subject.bench.layer.obj, len(subject.bench.shape)
    products = products_held(layer)
    counts = [number for number in numbers if not is_of_others(number.name)]
    shapes = (subject.bench.shape, *_others(subject)) if counts else ()
    if len(shapes) < _SIZES:
        return
    open_axes = [len({*sizes}) > 1 for sizes in zip(*shapes, strict=True)]
    fixed = {
        size for size, is_open in zip(shapes[0], open_axes, strict=True) if not is_open
    }
    # What all its stated sizes come to counts no places; what places come to, not all dims.
    stated = [
        (prod(sizes), prod(sizes[1:]))
        for sizes in stated_sizes(subject.layer)
        if any(shapes[0] == shape for shape, _ in with_smaller(sizes, ""))
    ]
    fewer = Axes(0, rank, fewer=1)  # the centre of mass of particles stays
    for number, start in itertools.product(counts, range(min(2, rank))):
        alone = number.value not in fixed and all(open_axes[start:])
        alone = alone and is_named_size(number.name)
        alone = alone and all(
            number.value not in both or number.value == both[start] for both in stated
        )
        told = number.name, number.value
        alike = [n for n in counts if (n.name, n.value) == told]
        usual = {prod(shape[start:]) for shape in usual_images(layer)}
        if number.value in products | usual or (
            alone and is_its_only_number(layer, number, fixed)
        ):
            taken = tuple((each, Axes(start, rank)) for each in alike)
            yield _Role(taken, shapes, is_product=number.value in products | usual)
        is_fewer = rank == 2 and number.value == fewer.count(subject.bench.shape)
        if is_fewer and prod(subject.bench.shape) in products:
            taken = tuple((each, fewer) for each in alike)
            yield _Role(taken, shapes, is_product=True)


def _as_further_axes(subject: Subject, numbers: Sequence[Counted]) -> Iterator[_Role]:
    """Yield which numbers may be sizes of axes that a vector has not: frames, or places."""
    bench = subject.bench
    own = [n for n in numbers if is_named_size(n.name) or is_named_side(n.name)]
    if subject.asked.shape or len(bench.shape) != 1 or len(own) != len(numbers):
        return
    (size,) = bench.shape
    further = [number for number in own if number.value != size]
    names = " and ".join(number.name for number in further or own)
    why = f"the ldj counts with {names}, the size of no axis of a vector"
    if not further:  # the vectors are entries of a set, which may have any size
        why = (
            f"the ldj counts with {names}, and is right for several such vectors alone"
        )
    shapes: tuple[Shape, ...]
    for taken in itertools.permutations(further):
        sides = [(6, 5), (3, 4), (5, 2)] if len(taken) > 1 else [(6,), (3,), (5,)]
        for first in (True, False) if len(taken) < 2 else (False,):
            shapes = tuple((*s, size) if first else (size, *s) for s in sides)
            if len(taken) > 2 or not all(runs(bench, s) for s in shapes):
                continue
            start = 0 if first else 1
            spans = [Axes(start + i, start + i + 1) for i in range(len(taken))]
            yield _Role(tuple(zip(taken, spans, strict=True)), shapes, why)


def _others(subject: Subject) -> tuple[Shape, ...]:
    """Return other shapes that the layer takes; axes of a size that it holds as well."""
    if len(subject.others) >= _SIZES - 1:
        return subject.others
    return _taken_of(subject, frozenset(range(len(subject.bench.shape))))


def _taken_of(subject: Subject, axes: frozenset[int]) -> tuple[Shape, ...]:
    """Return a few shapes that the layer takes, these axes of other sizes."""
    from ldjcheck.settling.other_sizes import resized

    bench = subject.bench
    held = frozenset(size for i, size in enumerate(bench.shape) if i not in axes)
    taken = (s for s in resized(bench.shape, held, axes) if runs(bench, s))
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


def _held(reading: Reading, role: _Role) -> Reading | None:
    """Return the reading, a copy of which holds the sizes that it has at each of the shapes."""
    subject = reading.subject
    first, *others = role.shapes
    bench = with_sizes(replace(subject.bench, shape=first), dict(role.taken))
    if bench is None:
        return None
    told = " and ".join(
        f"{n.name} as its {_word(first, span)}" for n, span in role.taken
    )
    why = role.why or subject.why_shape
    bench = replace(bench, batch=choose_batch(bench.options.batch, first))
    there = replace(subject, bench=bench, others=tuple(others), why_shape=why)
    reading = reading.of(there).assuming("shape", first, "observed", f"{first}: {why}")
    if not told:
        return reading
    size = f"the ldj counts with {told}; set to the sizes of the inputs"
    return reading.assuming("size", first, "observed", size)


def _word(shape: Shape, span: Axes) -> str:
    """Return what a number counts that is the size of an axis, or of several."""
    if span.fewer:
        return "count of dims less those of the centre of mass"
    if span.stop - span.start > 1:
        return "count of dims" if span.start == 0 else "count of places"
    return _WHERE[len(shape)][span.start]


def _mismatched(reading: Reading, shape: Shape) -> set[str]:
    """Return which directions a first look at one shape shows to be wrong, or not at all."""
    verdicts = look_at(reading, shape).comparison.verdicts
    return {v.direction for v in verdicts if v.mismatched or not v.usable}
