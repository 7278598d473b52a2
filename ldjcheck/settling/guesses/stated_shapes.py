"""Event shapes that are stated in words: `x (B, N, 3)`, or by what a failed try says.

They order what is tried, and prove nothing: words are nothing that Python enforces.

"The size of tensor a (8) must match the size of tensor b (4)", at an event of 8 places,
asks for 4. Each try tells of one axis, so that several may have to follow each other.
"""

import itertools
import linecache
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ldjcheck.object_graph import functions_of, is_of_the_user, looked_up, module_of
from ldjcheck.records import Shape

Pattern = tuple[int | None, ...]
"""The sizes of an event's axes, None where they are open."""

_TUPLE = re.compile(r"[(\[]([^()\[\]\n]{3,60})[)\]]")
_NAMED = re.compile(
    r"\b([A-Za-z_]\w*)\W{0,4}(?:of shape |is |shape )?[(\[]([^()\[\]\n]+)[)\]]"
)
_ENTRY = re.compile(r"[A-Za-z0-9_' */+-]+")
_CLASS = re.compile(r"\s*class\s")
_BATCH = frozenset({"b", "n", "bs", "bsz", "batch", "batch_size", "n_batch"})
_AXES = range(2, 6)  # of a batch


def written_patterns(layer: Any, sizes: Mapping[str, int]) -> tuple[Pattern, ...]:
    """Return the patterns that are written at a layer's class and methods, in their order.

    A tuple is one if its first entry names a batch. An entry that `sizes`, the numbers
    that the layer holds, has by its very name is of that size.
    """
    found: dict[Pattern, None] = {}
    for text in _words(layer):
        for match in _TUPLE.finditer(text):
            batch, *entries = (entry.strip() for entry in match[1].split(","))
            if batch.lower() not in _BATCH or len(entries) + 1 not in _AXES:
                continue
            if all(map(_ENTRY.fullmatch, entries)):
                found[tuple(map(_size_of(sizes), entries))] = None
    # Of one dim is an ldj, in a column, and no event: there all counts are alike.
    return tuple(pattern for pattern in found if {*pattern} != {1})


def written_by_name(layer: Any) -> dict[str, tuple[str, ...]]:
    """Return the axes behind the batch, as they are called, of each name that has them.

    `x: (B, N, F), adj: (B, N, N), mask (B, N)`: what is first said of a name holds.
    """
    found: dict[str, tuple[str, ...]] = {}
    for name, held in (
        m.groups() for text in _words(layer) for m in _NAMED.finditer(text)
    ):
        batch, *entries = (entry.strip() for entry in held.split(","))
        if batch.lower() in _BATCH and all(map(_ENTRY.fullmatch, entries)):
            found.setdefault(name, tuple(entries))
    return found


def fits(shape: Shape, pattern: Pattern) -> bool:
    """Return whether an event's shape is one that a pattern allows."""
    if len(shape) != len(pattern):
        return False
    return all(n in (None, size) for size, n in zip(shape, pattern, strict=True))


def filled(pattern: Pattern, sizes: Iterable[int]) -> Shape:
    """Return the shape whose open axes have these sizes, in their order."""
    ours = iter(sizes)
    return tuple(next(ours) if n is None else n for n in pattern)


def _size_of(sizes: Mapping[str, int]) -> Callable[[str], int | None]:
    return lambda entry: int(entry) if entry.isdigit() else sizes.get(entry)


def _words(layer: Any) -> Iterator[str]:
    """Yield docstrings, and comments above a definition, in its line, or right below.

    That of the module comes last, as it may be of other layers.
    """
    bound = looked_up(layer, "__func__")
    own = layer if bound is None else bound
    classes = filter(is_of_the_user, type(own).__mro__)
    functions = list(functions_of(own))
    docs = (looked_up(item, "__doc__") for item in (*classes, *functions))
    yield from (doc for doc in docs if isinstance(doc, str))
    for function in functions:
        lines = linecache.getlines(function.__code__.co_filename)
        start = min(function.__code__.co_firstlineno, len(lines))
        above = lines[:start]
        yield "".join(line.partition("#")[2] for line in above[-1:])
        yield from _comments(above[:-1])
        if above and above[-1][:1].isspace():  # it stands in a class
            heads = (i for i in reversed(range(start)) if _CLASS.match(above[i]))
            yield from _comments(above[: next(heads, 0)])
        yield from itertools.takewhile(_is_comment, lines[start:])
    yield looked_up(sys.modules.get(module_of(type(own))), "__doc__") or ""


def _comments(above: list[str]) -> Iterator[str]:
    """Yield the comments right above a line, the nearest first."""
    yield from itertools.takewhile(_is_comment, reversed(above))


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith("#")


# --- what failed tries ask for --------------------------------------------------------

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
