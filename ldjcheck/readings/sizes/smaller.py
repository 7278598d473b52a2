"""What is wrong with a layer of large events, looked into where events are small.

A mistake is the same at any size, and to tell which one it is takes dozens of measurements.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from math import prod

from ldjcheck.errors import CannotCheckError
from ldjcheck.judging.measurement import compared
from ldjcheck.oracle.structured import LARGE
from ldjcheck.readings.reading import Measured, Reading, at_shape, read_anew
from ldjcheck.records import Comparison, Direction, Layer, Shape
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.settling.settle import runs
from ldjcheck.settling.sizes import (
    counted,
    cropped,
    smaller_shapes,
    spans_of,
    with_sizes,
)
from ldjcheck.settling.subject import Subject

_MULTIPLICATIONS = 1e9  # of all rows of a Jacobian
_SIZES = 3  # that are looked at
_LEAST = 8  # dims: of fewer, one count is easily taken for another


def shows_in_long_calls(subject: Subject, comparison: Comparison) -> bool:
    """Return whether a layer is wrong, and so long that dozens of Jacobians take minutes.

    Where its calls are short, the size that was asked about is as well looked into.
    """
    bench = subject.bench
    if not _wrong(comparison) or prod(bench.shape) < LARGE:
        return False
    if bench.calls.parts or subject.asked.inputs is not None:
        return False
    runner, x, _ = bench.ready(subject.probes()[0])
    direction: Direction = "forward" if bench.calls.forward else "inverse"
    try:
        one = runner.run(direction, x, Frozen()).multiplications
    except FailedCallError:
        return False
    return prod(bench.shape) * one > _MULTIPLICATIONS


def at_a_smaller_size(subject: Subject, comparison: Comparison) -> Measured | None:
    """Return a wrong layer of many dims at few, where both directions come out the same.

    None where it takes no other size, and cannot be made for one.
    """
    shape, wrong = subject.bench.shape, _wrong(comparison)
    found = list(islice(_taken(subject), _SIZES))
    for number, (there, made) in enumerate(found):
        alike = (at for at, _ in found[number + 1 :] if _is_alike(at, there))
        others = tuple(at.bench.shape for at in alike)
        said = f"{_by(there.bench.shape)}, where it is wrong in the same way: "
        said += " and ".join(made) or "it takes any size"
        inferred = {
            **there.inferred,
            "shape": f"{shape}: {subject.why_shape}",
            "explained at": f"{said}. At {_by(shape)} {_off(comparison)}",
        }
        there = replace(there, others=others, inferred=inferred)
        try:
            again = compared(there)
        except CannotCheckError:
            continue
        if _wrong(again) == wrong:
            return Measured(reading=Reading(subject=there), comparison=again)
    return None


def _taken(subject: Subject) -> Iterator[tuple[Subject, tuple[str, ...]]]:
    """Yield the layer at fewer dims, the fewest first, and how it was made for them."""
    layer, whole = subject.layer, subject.bench.shape
    for shape in smaller_shapes(whole, _LEAST, LARGE - 1):
        for twin in (layer, cropped(layer, whole, shape)):
            there = None if twin is None else _at(subject, twin, shape)
            if there is None:
                continue
            made = ("its masks are cropped",) if twin is not layer else ()
            counting = _counting_with(there, whole)
            if counting is not None:
                sized, named = counting
                yield sized, (*made, *named)
            break


def _is_alike(one: Subject, other: Subject) -> bool:
    """Return whether two sizes are those of one layer."""
    same = one.bench.layer.obj is other.bench.layer.obj
    return same and one.bench.sized == other.bench.sized


def _counting_with(
    there: Subject, whole: Shape
) -> tuple[Subject, tuple[str, ...]] | None:
    """Return a subject whose ldj counts with the sizes that it is run at, and which.

    None where a number that it holds may be this side of the whole events, or that one.
    """
    spans = spans_of(whole, there.bench.shape)
    sized = {n: spans[n.value] for n in counted(there.bench) if n.value in spans}
    shape = there.bench.shape
    stays = [n for n, at in sized.items() if at and at.count(shape) == n.value]
    sized = {number: at for number, at in sized.items() if number not in stays}
    if not sized:
        return there, ()
    known = {number: span for number, span in sized.items() if span is not None}
    bench = with_sizes(there.bench, known) if len(known) == len(sized) else None
    if bench is None:
        return None
    names = ", ".join(dict.fromkeys(number.name for number in known))
    return replace(there, bench=bench), (f"it counts with its size ({names})",)


def _at(subject: Subject, layer: Layer, shape: Shape) -> Subject | None:
    """Return the subject of a layer at a shape, if that is taken.

    Where dims leave a flow is found anew: their shapes are others.
    """
    if subject.bench.calls.departures:
        convention = subject.bench.calls.convention
        sized = replace(subject.asked, shape=((None, shape),), convention=convention)
        found = (there.subject for there in read_anew(layer, sized))
        return next((replace(there, asked=subject.asked) for there in found), None)
    there = at_shape(subject, shape)
    bench = replace(there.bench, layer=layer)
    if layer is not subject.layer:
        bench = replace(bench, masters={}, idle={})
    return replace(subject, bench=bench) if runs(bench, shape) else None


def _wrong(comparison: Comparison) -> set[tuple[str, bool]]:
    """Return which directions are wrong, and whether of another form than is promised."""
    return {
        (v.direction, v.form is not None)
        for v in comparison.verdicts
        if v.mismatched or v.form is not None
    }


def _off(comparison: Comparison) -> str:
    """Return what is known of the whole size: by how much the first sample is off."""
    for verdict in comparison.verdicts:
        for _, side, _ in verdict.usable:
            if side.disagrees and side.difference is not None:
                return (
                    f"reported - exact is {float(side.difference[0]):+.6g} for sample 0"
                )
    return "it is wrong as well"


def _by(shape: Shape) -> str:
    return "x".join(map(str, shape))
