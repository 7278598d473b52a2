"""Event shapes that failed tries ask for: what is said of sizes tells what was wanted.

"The size of tensor a (8) must match the size of tensor b (4)", at an event of 8 places,
asks for 4. Each try tells of one axis, so that several may have to follow each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from ldjcheck.records import Shape

_NUMBER = re.compile(r"(?<![\w.])\d+|(?<=\dx)\d+")  # in "3x8", too
_PARTS = 1, 2  # of an axis, that may have met what it was said not to fit
_MOST = 4096


def corrected(shape: Shape, said: str) -> Iterator[Shape]:
    """Yield the shapes in which an axis, or all of the event, has another size that is told.

    An axis that was met is one whose size, or half of it, is told as well; all of the event
    is where so many entries are.
    """
    told = {int(number) for number in _NUMBER.findall(said)}
    wanted = sorted(number for number in told if 1 < number <= _MOST)
    dims = math.prod(shape)
    for axis, size in enumerate(shape):
        for number in wanted:
            for parts in _PARTS:
                if size % parts == 0 and size // parts in told:
                    yield (*shape[:axis], parts * number, *shape[axis + 1 :])
            if dims in told and number * size % dims == 0:
                yield (*shape[:axis], number * size // dims, *shape[axis + 1 :])


def all_corrected(
    failed: Iterable[tuple[Shape, str]], limit: int
) -> dict[Shape, Shape]:
    """Return at most `limit` shapes to try next, each with the one that asked for it."""
    tried = list(failed)
    known = {shape for shape, _ in tried}
    found: dict[Shape, Shape] = {}
    for shape, said in tried:
        for other in corrected(shape, said):
            if other not in known and len(found) < limit:
                found.setdefault(other, shape)
    return found
