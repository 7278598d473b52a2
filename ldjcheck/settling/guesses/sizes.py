"""Other sizes of an event shape that a layer takes, for counts that agree at one of them."""

from __future__ import annotations

import itertools
import math

from ldjcheck.records import Shape
from ldjcheck.settling.guesses.shapes import SMALL

# Odd ones too, for halves of an odd number are two numbers; then ones that halve again.
_OTHERS = (2, 4, 8), (5, 7, 3), (5, 8, 2), (1, 2, 4), (7, 6, 6)
_HALVED_TWICE = (3, 12, 4), (2, 8, 16)  # for what takes none of these


def resized(
    shape: Shape, held: frozenset[int], free: frozenset[int] = frozenset()
) -> tuple[Shape, ...]:
    """Return shapes of the same kind and other sizes, axes that the layer fixes kept.

    An axis whose size the layer holds somewhere is taken to be fixed by it, unless we chose
    that size, as `free` says. Of axes of one size, which the layer holds, any may be the one
    that it fixes: what runs decides. Shapes that part them come first, and last those that
    keep one more axis: the layer may fix its size by a number that is a multiple of it.
    """
    loose = frozenset(i for i, size in enumerate(shape) if size not in held) | free
    known = {shape[i] for i in loose}
    twins = [i for i, n in enumerate(shape) if shape.count(n) > 1 and n not in known]
    others: list[Shape] = []
    freed = (
        frozenset(some)
        for count in range(max(1, len(twins)))
        for some in itertools.combinations(twins, count)
    )
    fewer = (loose - {axis} for axis in sorted(loose) if len(loose) > 1)
    varied = (*(loose | some for some in freed), *fewer)
    for choices, axes in itertools.product((_OTHERS, _HALVED_TWICE), varied):
        for choice in choices:
            fitting = (choice * len(shape))[: len(shape)]
            new = tuple(fitting[i] if i in axes else n for i, n in enumerate(shape))
            # no dearer than what is asked anyway
            largest = max(SMALL, math.prod(shape))
            if new != shape and new not in others and math.prod(new) <= largest:
                others.append(new)

    def twins_kept(other: Shape) -> int:
        pairs = itertools.combinations(range(len(shape)), 2)
        return sum(shape[i] == shape[j] and other[i] == other[j] for i, j in pairs)

    return tuple(sorted(others, key=twins_kept))
