"""Further tensors that a layer needs besides its input, of sizes that its facts suggest.

A context net says how much it takes in its first Linear or convolution; other facts stand
in attributes such as `context_features` or `dims_c`. A mask is all ones, and has the size of
an event of one channel.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from torch import nn

from ldjcheck.holdings import attributes, looked_up, reachable
from ldjcheck.probe.shapes import HEIGHT, LENGTH, WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Calls, Shape

    Named = tuple[tuple[str, Shape], ...]

_TRIES = (
    120  # calls that may be made in search of a context; each is a few milliseconds
)
_ABOUT_CONTEXT = re.compile(r"context|cond|label|embed|dims?_c$|^c_dim|_h$|^h_", re.I)
_ABOUT_PARAMETERS = re.compile(r"param(eter)?s?_shape(?!_)|^h_shape", re.I)
_EVENTS = 6  # event shapes that are tried with each context,
_USUAL = 8  # besides vectors up to this size


def is_about_context(name: str) -> bool:
    """Return whether an argument is named like a context."""
    return name in ("c", "h") or _ABOUT_CONTEXT.search(name) is not None


def guess_contexts(
    layer: Any,
    candidates: tuple[Calls, ...],
    shapes: tuple[tuple[Shape, str], ...],
    known: set[str],
) -> Iterator[tuple[Shape, str, Named, str]]:
    """Yield event shapes with the contexts to feed beside them, and why those.

    `known` are the arguments that the user gives already.
    """
    yield from islice(_guesses(layer, candidates, shapes, known), _TRIES)


def _guesses(
    layer: Any,
    candidates: tuple[Calls, ...],
    shapes: tuple[tuple[Shape, str], ...],
    known: set[str],
) -> Iterator[tuple[Shape, str, Named, str]]:
    choices = dict.fromkeys(
        names
        for calls in candidates
        for names in _names(calls, known)
        if names and not known.issuperset(names)
    )
    facts = tuple(dict.fromkeys(_sizes(layer)))
    for names in choices:
        masks = tuple(name for name in names if "mask" in name)
        others = tuple(name for name in names if name not in masks)
        events = dict(_likeliest(shapes) if others else shapes)
        sizes: tuple[tuple[Shape | None, str], ...] = facts
        sizes += ((None, "as large as the input"),)
        for size, why in sizes if others else (((), "ones: nothing is masked"),):
            for shape, why_shape in events.items():
                own = shape if size is None else size
                held = tuple((name, own) for name in others)
                ones = tuple((name, _mask_for(shape)) for name in masks)
                yield shape, why_shape, held + ones, why


def _likeliest(
    shapes: tuple[tuple[Shape, str], ...],
) -> tuple[tuple[Shape, str], ...]:
    """Return the best founded event shapes, and vectors of all usual sizes."""
    vectors = [
        (shape, why)
        for shape, why in shapes[_EVENTS:]
        if len(shape) == 1 and shape[0] <= _USUAL
    ]
    return (*shapes[:_EVENTS], *vectors)


def _names(calls: Calls, known: set[str]) -> Iterator[tuple[str, ...]]:
    """Yield which arguments to feed: those that must be, then those that may be."""
    must = tuple(name for name in calls.context_names if name not in known)
    yield must
    may = [name for name in calls.extra_names if name not in known]
    for name in sorted(may, key=lambda name: "mask" not in name):
        yield (*must, name)
    if len(may) > 1:
        yield (*must, *may)


def _mask_for(shape: Shape) -> Shape:
    return shape if len(shape) == 1 else (1, *shape[1:])


def _sizes(layer: Any) -> Iterator[tuple[Shape, str]]:
    """Yield shapes that a context may have, the best founded first."""
    items = list(reachable(layer))
    for item in items[:1]:
        for name in filter(_ABOUT_PARAMETERS.search, dir(item)):
            yield from _as_shape(looked_up(item, name), name)
    for item in items:
        for name, value in attributes(item).items():
            if _ABOUT_CONTEXT.search(name):
                yield from _as_shape(value, name)
    layers = [item for item in items if isinstance(item, nn.Module)]
    widths: dict[int, str] = {}
    channels: dict[int, str] = {}
    for item in layers:
        width = looked_up(item, "in_features") or looked_up(item, "input_size")
        if isinstance(width, int):
            widths.setdefault(width, f"a {type(item).__name__} takes {width} features")
        if isinstance(item, nn.Conv1d):
            yield (item.in_channels, LENGTH), f"a Conv1d takes {item.in_channels}"
            yield (item.in_channels, 1), f"a Conv1d takes {item.in_channels}"
        if isinstance(item, nn.Conv2d):
            channels.setdefault(item.in_channels, f"a Conv2d takes {item.in_channels}")
    yield from _of_widths(widths, ())
    yield from _of_widths(channels, (HEIGHT, WIDTH))


def _of_widths(
    widths: dict[int, str], space: tuple[int, ...]
) -> Iterator[tuple[Shape, str]]:
    for width, why in widths.items():
        yield (width, *space), why
    # A net that takes the input and the context side by side is wider than either.
    for width, why in list(widths.items())[:3]:
        for less in (1, 2, 3, 4):
            if width > less:
                yield (width - less, *space), f"{why}, the input's among them"


def _as_shape(value: Any, name: str) -> Iterator[tuple[Shape, str]]:
    why = f"{name} = {value}"
    if isinstance(value, bool):
        return
    if isinstance(value, int) and 0 < value <= 4096:
        yield (value,), why
    elif isinstance(value, (tuple, list)) and value:
        if all(isinstance(v, int) and not isinstance(v, bool) for v in value):
            yield tuple(value), why
        else:
            for each in value:
                if isinstance(each, (tuple, list)):
                    yield from _as_shape(each, name)
