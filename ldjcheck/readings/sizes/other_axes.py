"""Elementwise maps that are right at one number of axes, and wrong at the one that was tried.

Where its own facts say nothing of sizes, a number of axes at which a layer is right, whatever
their sizes, is the one that is meant.
"""

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.readings.reading import Measured, Reading, look_at, read_anew
from ldjcheck.readings.sizes.further_sizes import PLACES, is_elementwise, is_open
from ldjcheck.records import Shape
from ldjcheck.settling.guesses.shapes import HEIGHT, WIDTH, sizes_held

_SIZES = 2  # at which a number of axes must be right to be the one that is meant


def propose(seen: Measured) -> Iterator[Reading]:
    """Yield the layer at the number of axes at which an elementwise map is right, if any.

    Only of one that is wrong, whose own facts say nothing of sizes: a number of axes at which
    it is right, whatever their sizes, is the one that is meant.
    """
    bench, asked = seen.subject.bench, seen.subject.asked
    held = sizes_held(bench.layer.obj) & {*bench.shape}
    if not seen.is_wrong or held or not is_open(seen.subject):
        return
    if not is_elementwise(seen.comparison):
        return
    shapes: tuple[Shape, ...] = (PLACES, WIDTH), (PLACES, HEIGHT, WIDTH)
    for shape in (s for s in shapes if len(s) != len(bench.shape)):
        told = f"{shape}: at {bench.shape}, of other axes, it is wrong"
        for there in read_anew(bench.layer, replace(asked, shape=((None, shape),))):
            there = there.assuming("shape", shape, "observed", told, asked=asked)
            subject = there.subject
            sizes = subject.bench.shape, *subject.others[:_SIZES]
            if len(sizes) >= _SIZES and all(look_at(there, s).is_right for s in sizes):
                yield there
                return
