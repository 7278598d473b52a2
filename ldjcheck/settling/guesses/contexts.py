"""Further tensors that a layer needs besides its input, of sizes that its facts suggest.

A context net says how much it takes in its first Linear or convolution; other facts stand
in attributes such as `context_features` or `dims_c`. A mask is all ones, and has the size of
an event of one channel. A class label is a whole number, and a time one number, of each
sample; what belongs to an image has its height and width.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, product
from typing import Any

from torch import nn

from ldjcheck.calling.parameter_names import is_time, speaks_of_context
from ldjcheck.object_graph import attributes, is_of_the_user, looked_up, reachable
from ldjcheck.records import Calls, Context, Shape
from ldjcheck.settling.guesses.shapes import LENGTH, Event, Shapes
from ldjcheck.settling.guesses.stated_shapes import written_by_name

Named = tuple[tuple[str, Shape], ...]
Choices = Iterable[tuple[str, ...]]
"""Which parameters are given a tensor, one way after the other."""

# Calls that may be made in search of a context; each is a few milliseconds.
_TRIES = 120
_ABOUT_PARAMETERS = re.compile(r"param(eter)?s?_shape(?!_)|^h_shape", re.I)
_SCALAR_TRIES = 60  # of those, with one number for each sample
_WIDTHS = 3  # of nets that are held against the sizes of events
_EVENTS = 6  # event shapes that are tried with each context,
_USUAL = 8  # besides vectors up to this size
_SIDES = (8, 16, 28, 32, 64)  # of images that an encoder is built for
_TIME = 0.7  # of no layer's first or last step


@dataclass(frozen=True, slots=True)
class ContextGuess:
    """An event, what to feed beside it, and the facts that suggest them."""

    event: Event
    contexts: Named
    why: str
    labels: frozenset[str] = frozenset()  # those that are whole numbers
    times: tuple[tuple[str, float], ...] = ()  # one number for the whole batch each
    founded: bool = True  # on what the layer is built of, not on its input alone

    @property
    def fed(self) -> tuple[Context, ...]:
        """The contexts as a check is asked for them."""
        return tuple(Context(name, shape) for name, shape in self.contexts)


def guess_contexts(
    layer: Any, candidates: tuple[Calls, ...], shapes: Shapes, known: set[str]
) -> Iterator[ContextGuess]:
    """Yield event shapes with the contexts to feed beside them, and why those.

    `known` are the arguments that the user gives already.
    """
    yield from _declared(candidates, shapes, known)
    choices = dict.fromkeys(
        names
        for calls in candidates
        for names in _names(calls, known)
        if names and not known.issuperset(names)
    )
    yield from islice(_written(layer, choices, shapes), _TRIES)
    of_sizes = islice(_guesses(layer, choices, shapes), _TRIES)
    of_numbers = islice(_numbers(choices, shapes), _SCALAR_TRIES)
    yield from _times(choices, shapes)
    if any(isinstance(item, nn.Embedding) for item in reachable(layer)):
        yield from islice(_labels(choices, shapes), _TRIES)
        yield from chain(of_numbers, of_sizes)
    else:
        yield from chain(of_sizes, of_numbers)
    yield from _half_as_large(layer, choices, shapes)
    yield from islice(_looked_at(layer, choices, shapes), _TRIES)
    yield from islice(_joining(choices, shapes), _TRIES)


def _declared(
    candidates: tuple[Calls, ...], shapes: Shapes, known: set[str]
) -> Iterator[ContextGuess]:
    """Yield the contexts whose shapes the layer itself declares."""
    for declared in dict.fromkeys(calls.context_shapes for calls in candidates):
        wanted = tuple((name, shape) for name, shape in declared if name not in known)
        for event in _likeliest(shapes) if wanted else ():
            yield ContextGuess(event, wanted, "declared by the layer")


def _times(choices: Choices, shapes: Shapes) -> Iterator[ContextGuess]:
    """Yield one time for the whole batch, where no other argument is wanted."""
    for names in choices:
        times = tuple((name, _TIME) for name in names)
        for event in _likeliest(shapes) if all(map(is_time, names)) else ():
            yield ContextGuess(event, (), "one time for the whole batch", times=times)


def _guesses(layer: Any, choices: Choices, shapes: Shapes) -> Iterator[ContextGuess]:
    facts = tuple(dict.fromkeys(_sizes(layer)))
    for names in choices:
        masks = tuple(name for name in names if "mask" in name)
        others = tuple(name for name in names if name not in masks)
        events = dict(_likeliest(shapes) if others else shapes)
        images = tuple(_of_images(layer, shapes)) if others else ()
        vectors = tuple(_of_vectors(layer, shapes)) if others else ()
        sized: tuple[tuple[Shape | None, str], ...] = (((), "ones: nothing is masked"),)
        if others:
            sized = (*facts, (None, "as large as the input"))
        founded = [(*fact, event) for fact in sized for event in events.items()]
        rows = _of_rows(layer, shapes) if others else ()
        # each is likelier than that all that is fed is as large as the input
        founded = sorted((*founded, *rows), key=lambda each: each[0] is None)
        for size, why, event in (*founded, *vectors, *images):
            shape, _ = event
            own = shape if size is None else size
            held = tuple((name, own) for name in others)
            for mask in _masks_for(shape) if masks else [shape]:
                fed = held + tuple((name, mask) for name in masks)
                yield ContextGuess(event, fed, why, founded=size is not None)


def _labels(choices: Choices, shapes: Shapes) -> Iterator[ContextGuess]:
    """Yield a class label for each sample, beside every event shape.

    What embeds labels says nothing of the event, which may be of any of them.
    """
    for names in choices:
        others = frozenset(name for name in names if "mask" not in name)
        for event in shapes if others else ():
            fed = _sized(names, others, (), event)
            yield ContextGuess(
                event, fed, "a class label", labels=others, founded=False
            )


def _numbers(choices: Choices, shapes: Shapes) -> Iterator[ContextGuess]:
    """Yield contexts that are one number for each sample: a class label, or a time."""
    for names in choices:
        others = frozenset(name for name in names if "mask" not in name)
        if not others:
            continue
        vectors = [each for each in shapes if len(each[0]) == 1]
        for event in dict([*_likeliest(shapes), *vectors]).items():
            fed = _sized(names, others, (), event)
            yield ContextGuess(
                event, fed, "a class label", labels=others, founded=False
            )
            yield ContextGuess(event, fed, "a number for each sample", founded=False)
        why = "a number for each sample, in a column"
        for event in vectors:
            fed = _sized(names, others, (1,), event)
            yield ContextGuess(event, fed, why, founded=False)


def _sized(
    names: Iterable[str], others: frozenset[str], size: Shape, event: Event
) -> Named:
    """Return the shapes of what is fed beside an event: of masks, and of the others."""
    return tuple((n, size if n in others else _mask_for(event[0])) for n in names)


def _of_rows(layer: Any, shapes: Shapes) -> Iterator[tuple[Shape, str, Event]]:
    """Yield features for each row of an event, as many as a net takes, and x has not."""
    for width, why in list(_widths(layer).items())[:_WIDTHS]:
        rows = [e for e in shapes if len(e[0]) == 2 and e[0][1] != width]
        for event in rows[:_EVENTS]:
            yield (event[0][0], width), f"{why}, for each row", event


def _of_vectors(layer: Any, shapes: Shapes) -> Iterator[tuple[Shape, str, Event]]:
    """Yield contexts of what a net takes more than half of a vector, or all of it."""
    for width, why in list(_widths(layer).items())[:_WIDTHS]:
        for event in _likeliest(shapes):
            shape, _ = event
            if len(shape) != 1:
                continue
            for less in dict.fromkeys((shape[0] // 2, -(-shape[0] // 2), shape[0])):
                if 0 < less < width:
                    yield (width - less,), f"{why}, the input's among them", event


def _widths(layer: Any) -> dict[int, str]:
    """Return how many features the layer's nets take, and which does."""
    widths: dict[int, str] = {}
    for item in reachable(layer):
        width = looked_up(item, "in_features") or looked_up(item, "input_size")
        if isinstance(item, nn.Module) and isinstance(width, int):
            widths.setdefault(width, f"a {type(item).__name__} takes {width} features")
    return widths


def _of_images(layer: Any, shapes: Shapes) -> Iterator[tuple[Shape, str, Event]]:
    """Yield contexts of an image's size, as many channels as a convolution has left.

    Scales that have fewer channels than what they scale would be spread over it: what the
    net returns, for a half or for both, says how many channels the image has.
    """
    nets = [item for item in reachable(layer) if isinstance(item, nn.Conv2d)]
    fitting = dict.fromkeys(
        channels
        for net in reversed(nets)
        for channels in (net.out_channels, net.out_channels // 2)
    )
    images = [each for each in shapes if len(each[0]) == 3]
    # Where a net returns several numbers for each channel, the layer's facts may say more.
    founded = [shape[0] for shape, _ in images[:_EVENTS]]
    for channels in dict.fromkeys([*list(fitting)[:4], *founded]):
        events = [each for each in images if each[0][0] == channels][:2]
        for width in dict.fromkeys(net.in_channels for net in nets):
            why = f"a Conv2d takes {width} channels"
            for less in (channels // 2, channels, 0):
                for event in events if width > less else ():
                    yield (width - less, *event[0][1:]), why, event


def _half_as_large(
    layer: Any, choices: Choices, shapes: Shapes
) -> Iterator[ContextGuess]:
    """Yield images of half the size, as what is to be sharper is given."""
    nets = [item for item in reachable(layer) if isinstance(item, nn.Conv2d)]
    images = [e for e in shapes if len(e[0]) == 3 and not (e[0][1] % 2 or e[0][2] % 2)]
    first = {shape[0]: (shape, why) for shape, why in reversed(images)}  # by channels
    for names, net, event in product(choices, nets[:1], first.values()):
        size = net.in_channels, *(side // 2 for side in event[0][1:])
        why = f"a Conv2d takes {size[0]} channels, of an image half as large perhaps"
        yield ContextGuess(event, tuple((name, size) for name in names), why)


def _looked_at(layer: Any, choices: Choices, shapes: Shapes) -> Iterator[ContextGuess]:
    """Yield images beside a vector, as an encoder looks at them."""
    nets = [item for item in reachable(layer) if isinstance(item, nn.Conv2d)]
    vectors = dict(each for each in _likeliest(shapes) if len(each[0]) == 1)
    for names, side in product(choices, _SIDES if nets else ()):
        channels = nets[0].in_channels
        why = f"a Conv2d takes {channels} channels, of images {side} x {side} perhaps"
        fed = tuple((name, (channels, side, side)) for name in names)
        for event in vectors.items():
            yield ContextGuess(event, fed, why)


def _written(layer: Any, choices: Choices, shapes: Shapes) -> Iterator[ContextGuess]:
    """Yield contexts as words give them: an axis that is called as one of x is as long.

    Of any other name it is as wide as a net of the layer's takes it, or has one entry. What
    is handed on to a sublayer may be described there.
    """
    users = (item for item in reachable(layer) if is_of_the_user(type(item)))
    said: dict[str, tuple[str, ...]] = {}
    for item in users:
        said = {**written_by_name(item), **said}
    for names in (names for names in choices if names and said.keys() >= {*names}):
        of_x = next((axes for name, axes in said.items() if name not in names), ())
        for (shape, why), width in product(shapes, [*_widths(layer), 1]):
            if len(shape) != len(of_x) or not of_x:
                continue
            # a number that is written is that axis's size
            shape = tuple(
                int(axis) if axis.isdigit() else size
                for axis, size in zip(of_x, shape, strict=True)
            )
            event = shape, why
            sizes = dict(zip(of_x, shape, strict=True))
            if any(sizes[axis] != size for axis, size in zip(of_x, shape, strict=True)):
                continue
            held = {
                name: tuple(
                    int(axis) if axis.isdigit() else sizes.get(axis, width)
                    for axis in said[name]
                )
                for name in names
            }
            yield ContextGuess(event, tuple(held.items()), "as it is written in words")


def _joining(choices: Choices, shapes: Shapes) -> Iterator[ContextGuess]:
    """Yield a number for each two rows of an event, as of nodes that a graph joins."""
    rows = [event for event in shapes if len(event[0]) == 2]
    for names, event in product(choices, rows):
        fed = tuple((name, event[0][:1] * 2) for name in names)
        yield ContextGuess(event, fed, "a number for each two rows of the input")


def _likeliest(shapes: Shapes) -> Shapes:
    """Return the best founded event shapes, and vectors of all usual sizes."""
    vectors = (e for e in shapes[_EVENTS:] if len(e[0]) == 1 and e[0][0] <= _USUAL)
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


def _masks_for(shape: Shape) -> tuple[Shape, ...]:
    """Return the shapes of a mask: beside channels, or of places that hold features."""
    first = _mask_for(shape)
    if len(shape) != 2:
        return (first,)
    return first, shape[:1], (*shape[:1], 1), shape[1:]


def _sizes(layer: Any) -> Iterator[tuple[Shape, str]]:
    """Yield shapes that a context may have, the best founded first."""
    items = list(reachable(layer))
    for item in items[:1]:
        for name in filter(_ABOUT_PARAMETERS.search, dir(item)):
            yield from _as_shape(looked_up(item, name), name)
    for item in items:
        for name, value in attributes(item).items():
            if speaks_of_context(name):
                yield from _as_shape(value, name)
    for item in items:
        if isinstance(item, nn.Conv1d):
            yield (item.in_channels, LENGTH), f"a Conv1d takes {item.in_channels}"
            yield (item.in_channels, 1), f"a Conv1d takes {item.in_channels}"
            why = f"a Conv1d takes {item.in_channels}, half of it perhaps"
            yield (2 * item.in_channels, LENGTH), why
    for width, why in _widths(layer).items():
        yield (width,), why


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
