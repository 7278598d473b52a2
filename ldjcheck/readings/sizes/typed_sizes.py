"""Layers that are made for the sizes they were typed with, as `Squeeze((2, 4, 4))` is.

So are those that are built with `shape=(2, 4, 4)` where nothing else is typed. What such a
layer counts with was worked out when it was built. Built for others, it is right at those.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any

from ldjcheck.calling.signature import signature_of
from ldjcheck.readings.reading import Measured, Reading, look_at, read_anew
from ldjcheck.readings.sizes.further_sizes import is_open
from ldjcheck.records import Layer, Options, Shape
from ldjcheck.settling.guesses.shapes import SMALL
from ldjcheck.settling.subject import Subject

_TRIED = 4  # sizes that stand in what was typed
_MOST = 64 * SMALL  # entries: as of small images
_OF_IMAGES = 2  # numbers: how many channels, and the size of a side
_WHY = "it was built with this size, and built with another it is right at that"


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the reading at the sizes that were typed, where it is right for these alone.

    It is right at others where it is built for them: that of one size alone shows nothing.
    """
    subject = seen.subject
    leads_back = seen.comparison.round_trip.status != "fail"
    if (not seen.is_wrong and leads_back) or not is_open(subject):
        return
    typed = subject.layer.typed
    images = (_of_images(*each) for each in typed if len(each[0]) == _OF_IMAGES)
    built = (*typed, *images, *_by_default(subject.layer.obj, subject.bench.shape))
    for shape, build in built[:_TRIED]:
        there = _right_at(subject.layer, shape, subject.asked)
        if there is None or not _is_right_elsewhere(there.subject, build, shape):
            continue
        subject = replace(there.subject, others=())
        told = f"{shape}: {_WHY}"
        yield there.of(subject).assuming("shape", shape, "declared", told)
        return


def stated_sizes(layer: Layer) -> Iterator[Shape]:
    """Yield the sizes that were typed, and those that a class is built with by default."""
    yield from (sizes for sizes, _ in layer.typed)
    yield from (sizes for _, sizes in _sizes_by_default(type(layer.obj)))


def _defaults(kind: type) -> Mapping[str, Any]:
    signature = signature_of(kind)
    return {} if signature is None else signature.defaults


def _sizes_by_default(kind: type) -> Iterator[tuple[str, Shape]]:
    """Yield the arguments of a class that are sizes by default, and these."""
    for name, value in _defaults(kind).items():
        if isinstance(value, tuple | list) and all(type(size) is int for size in value):
            yield name, tuple(value)


def _of_images(
    sizes: Shape, build: Callable[[Shape], Any]
) -> tuple[Shape, Callable[[Shape], Any]]:
    """Return the shape of images of so many channels, and of one size each way."""
    channels, size = sizes

    def build_square(other: Shape) -> Any:
        channels, height, width = other
        if height != width:
            raise ValueError("its images are as wide as they are high")
        return build((channels, height))

    return (channels, size, size), build_square


def _by_default(
    layer: Any, shape: Shape
) -> Iterator[tuple[Shape, Callable[[Shape], Any]]]:
    """Yield shapes that a layer's class is built with, and how to build it with others.

    They are an argument of its own, or one number for each size, as `channels` and `size`.
    """
    kind = type(layer)
    for name, sizes in _sizes_by_default(kind):
        yield sizes, lambda other, name=name: kind(**{name: other})  # type: ignore[misc]  # mypy cannot type the default
    names = {n: v for n, v in _defaults(kind).items() if type(v) is int and v in shape}
    if names:
        yield shape, lambda other: kind(**_resized(names, shape, other))


def _resized(names: dict[str, int], shape: Shape, other: Shape) -> dict[str, int]:
    """Return the sizes of another shape by the names that have those of one."""
    sizes = {
        n: {o for s, o in zip(shape, other, strict=True) if s == v}
        for n, v in names.items()
    }
    return {name: size for name, (size,) in sizes.items()}  # one each, or it raises


def _right_at(layer: Layer, shape: Shape, asked: Options) -> Reading | None:
    """Return how a layer is read at a shape, if it takes it; None where it is wrong."""
    if prod(shape) > _MOST:
        return None
    given = replace(asked, shape=((None, shape),))
    for there in read_anew(layer, given):
        seen = look_at(there)
        ways = (verdict.check.status for verdict in seen.comparison.verdicts)
        proved = seen.is_right and {*ways} <= {"pass", "not-available"}
        if proved and seen.comparison.round_trip.status != "fail":
            return there
    return None


def _is_right_elsewhere(
    subject: Subject, build: Callable[[Shape], Any], shape: Shape
) -> bool:
    *others, last = shape
    scaled = (
        (shape[0], *(int(times * size) for size in shape[1:])) for times in (0.5, 2)
    )
    for other in ((*others, 2 * last), *scaled):
        if other == shape or not all(other):
            continue
        layer = replace(subject.layer, rebuild=partial(build, other))
        built = replace(subject.bench, layer=layer).built_anew(subject.asked.seed)
        if built is not None:
            return _right_at(built.layer, other, subject.asked) is not None
    return False
