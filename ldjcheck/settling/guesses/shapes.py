"""Event shapes that a layer may take, read off the layer's own facts.

A layer says what it wants in masks, in the widths of its first Linear, Conv and norm
layers, in the sizes of its parameters and in its integer attributes. Where it says
nothing, a short list of shapes is tried, vectors first: a layer made for vectors often
runs on images too and then sums over the wrong axes, while a layer made for images
hardly ever runs on vectors.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.distributions import Distribution

from ldjcheck.calling.signature import signature_of
from ldjcheck.object_graph import (
    attributes,
    by_name,
    is_of_the_user,
    is_plain,
    looked_up,
    module_of,
    reachable,
)
from ldjcheck.records import Shape
from ldjcheck.settling.guesses.stated_shapes import filled, fits, written_patterns


class _Free(int):
    """A size of our own choice: the layer's facts say nothing of it."""


class _One(int):
    """A size of one, of what may as well be spread over an axis of any size."""


# Height and width differ from each other and from the batch, and are even, so that
# squeezes and checkerboards fit and no two products of sizes coincide by accident.
HEIGHT, WIDTH, LENGTH = _Free(4), _Free(6), _Free(8)
FRAMES = _Free(2)  # of a video
_OPEN = HEIGHT, WIDTH, LENGTH, FRAMES  # for what words leave open
SMALL = 512  # dims; a first guess must be cheap to prove
_CONVOLUTIONS = {
    nn.Conv2d: (HEIGHT, WIDTH), nn.Conv1d: (LENGTH,), nn.Conv3d: (FRAMES, HEIGHT, WIDTH)
}  # fmt: skip

_FEATURE_NAMES = (
    "features", "n_features", "num_features", "in_features", "dim", "dims", "d", "D",
    "n_dim", "n_dims", "num_dims", "input_dim", "in_dim", "data_dim", "size",
    "input_size", "num_inputs", "n_inputs", "nz", "latent_size", "latent_dim", "z_dim",
    "in_channels", "num_channels", "n_channels", "channels", "c_in", "c", "in_channel",
)  # fmt: skip
_CHANNELS = "c", "C", "c_in"
_SQUARE = "image_size", "img_size", "im_size", "resolution"
_SIDES = (
    ("height", "h", "H", "img_height", "image_height", "in_height", *_SQUARE),
    ("width", "w", "W", "img_width", "image_width", "in_width", *_SQUARE),
)
_SIZES = frozenset((
    "dim", "dims", "ndim", "ndims", "size", "shape", "numel", "count", "d", "t", "l",
    "len", "length", "seq", "time", "timesteps", "frames", "points", "pixels", "places", "data",
    "features", "variables", "vars", "patches", "tokens", "nodes", "atoms", "particles",
    "channels", "entries", "elements", "inputs", "input", "event", "sites",
    "coords", "coordinates",
))  # fmt: skip
_SIZES_OF_OTHERS = frozenset((
    "hidden", "mid", "inner", "filters", "kernel", "batch", "layers", "layer", "flows",
    "blocks", "heads", "bins", "context", "cond", "embed", "embedding", "epochs", "levels",
    "bits", "quants", "groups", "steps", "samples",
))  # fmt: skip
_NUMBER_OF = frozenset({"n", "num", "nr", "number", "of", "total"})
_FACTORS = 3  # square matrices that may act on the sides of one
_FEW = 16  # entries of an axis beside others of our own choice
_SHAPE_WORDS = ("shape", "size", "dims")


Event = tuple[Shape, str]
"""A shape that is tried, and what suggests it."""
Shapes = tuple[Event, ...]
"""Those that are tried, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeGuess:
    """An event shape to try, and the fact of the layer that suggests it."""

    shape: Shape
    why: str
    free: frozenset[int]  # the axes whose sizes are of our own choice


Guesses = tuple[ShapeGuess, ...]


def sizes_held(layer: Any) -> frozenset[int]:
    """Return every integer that the layer holds as a size: these axes are not ours to vary.

    Nor are those of a size that is written in words.
    The widths of torch's own networks are none of them: where one fixes the size of an
    axis, it raises at any other.
    """
    items = list(reachable(layer))
    networks = [item for item in items if _is_network(item)]
    inside = {id(part) for net in networks for part in (net, *net.parameters(False))}
    sizes = {shape[0] for shape, _ in _indexed(items) if len(shape) == 1}
    sizes.update(n for axes in written_patterns(layer, {}) for n in axes if n)
    for item in items:
        if id(item) in inside:
            continue
        if isinstance(item, torch.Tensor):
            sizes.update(item.shape)
        else:
            sizes.update(
                size
                for name, size in _integers(item).items()
                if size > 1 or name.lstrip("_") in _FEATURE_NAMES
            )
            for name, value in by_name(item).items():
                if isinstance(value, (tuple, list)):
                    stated = any(word in name.lower() for word in _SHAPE_WORDS)
                    sizes.update(v for v in value if _is_size(v) and (v > 1 or stated))
    return frozenset(sizes)


def _is_network(item: Any) -> bool:
    """Return whether it is torch's own, and computes: lists of parameters do not."""
    kind = type(item)
    return (
        isinstance(item, nn.Module)
        and module_of(kind).startswith("torch.nn.")
        and kind.forward is not nn.Module.forward
    )


def guess_shapes(
    layer: Any,
    event_dim: int | None,
    around: Any = None,
    *,
    over: int = 0,
    limit: int = SMALL,
) -> Guesses:
    """Return the event shapes worth trying, the best founded first, each once.

    They have more than `over` dims, and at most `limit`. What the layer was taken out of,
    `around`, may know more: a base distribution's size.
    """
    guesses: dict[Shape, ShapeGuess] = {}
    known = layer if around is None else around
    ours = ((tuple(map(_Free, shape)), why) for shape, why in _defaults(event_dim))
    # What has one entry along an axis says least: of one dim, all counts are alike.
    # What is handed on to a sublayer may be described there.
    users = [item for item in reachable(known) if is_of_the_user(type(item))]
    said = (written_patterns(item, _integers(item)) for item in (known, *users))
    written = next(filter(None, said), ())
    held = [(), *((size,) for size in _integers(known).values() if size > 1)]
    filled_in = (
        (filled(p, (*sizes, *_OPEN)), "it is written in words")
        for p, sizes in itertools.product(written, held)
    )
    told = [*_from_facts(known), *ours, *_features_last(known), *filled_in]

    stated = {shape for item in reachable(known) for shape, _ in _stated_shapes(item)}

    def last(told: tuple[Shape, str]) -> tuple[bool, bool]:
        shape = told[0]
        as_written = shape in stated or any(fits(shape, each) for each in written)
        return any(isinstance(size, _One) for size in shape), not as_written

    for found, why in sorted(told, key=last):
        shape = tuple(int(size) for size in found)  # NumPy's numbers among them
        if event_dim is not None and len(shape) < event_dim:
            continue
        if not over < math.prod(shape) <= limit:
            continue
        free = frozenset(i for i, size in enumerate(found) if isinstance(size, _Free))
        known = guesses.get(shape)
        # Of what is to be tried in any case, the fact that suggests it is told.
        if known is None or len(free) < len(known.free) == len(shape):
            guesses[shape] = ShapeGuess(shape=shape, why=why, free=free)
    return tuple(guesses.values())


def is_named_side(name: str) -> bool:
    """Return whether a number of this name is the height or the width of an image."""
    return any(name.lstrip("_") in names for names in _SIDES)


def is_named_size(name: str) -> bool:
    """Return whether a number of this name counts entries of an event: `n_pixels`, `T`."""
    told = _words(name) - _NUMBER_OF
    return not is_of_others(name) and (not told or bool(told & _SIZES))


def is_named_axis(name: str) -> bool:
    """Return whether a number of this name is the size of an axis: `c`, `width`, `dim`."""
    own = name.lstrip("_") in _FEATURE_NAMES
    return own or is_named_side(name) or is_named_size(name)


def is_of_others(name: str) -> bool:
    """Return whether it is no event's size by its name: a network's width, a batch's size."""
    return bool(_words(name) & _SIZES_OF_OTHERS)


def _words(name: str) -> set[str]:
    return {*name.lower().strip("_").split("_")}


def as_image(shape: Shape) -> ShapeGuess:
    """Return the image whose channels are a vector's entries."""
    why = f"it takes {shape} too, and looks for pixels behind"
    image = (*shape, int(HEIGHT), int(WIDTH))
    return ShapeGuess(shape=image, why=why, free=frozenset({1, 2}))


def _defaults(event_dim: int | None) -> Iterator[tuple[Shape, str]]:
    why = "runs at this size; the layer's own facts say nothing"
    if event_dim == 2:
        for size in (4, 5, 2):
            yield (size, size), why
    for size in (4, 6, 2, 5, 3, 1, 8):
        yield (size,), why
    for channels in (2, 1, 4, 3, 6, 8, 12, 16):
        yield (channels, HEIGHT, WIDTH), why
    for channels in (2, 4, 1, 3, 8, 80):
        yield (channels, LENGTH), why
    for height, width in ((4, 8), (8, 16)):  # for a flow that squeezes more than once
        for channels in (3, 1, 2, 4):
            yield (channels, height, width), why
    for side in (4, 6, 8, 16):
        for channels in (1, 2, 4, 3):
            yield (channels, side, side), why
    for channels in (3, 1, 2, 4):
        yield (channels, FRAMES, HEIGHT, WIDTH), why
    yield (), why  # one number a sample


def _from_facts(layer: Any) -> Iterator[tuple[Shape, str]]:
    items = list(reachable(layer))
    for item in items:
        yield from _stated_shapes(item)
    channels = tuple(
        item.in_channels * times
        for item in items
        if isinstance(item, nn.Conv2d)
        for times in (1, 2)
    )
    for item in items:
        for name, tensor in _named_tensors(item):
            if "mask" in name.lower():
                why = f"the mask {name!r} has this size"
                yield from _like_mask(tensor, channels, why)
    yield from _named_sides(map(_integers, items), channels)
    yield from _grouped(items)
    for item in items[:1]:
        for name, tensor in _named_tensors(item):
            if _is_per_channel(tensor):
                yield from _like_parameter(tensor, f"{name!r} has this size")
        yield from _multiplied(items)
        yield from _named_sizes(_integers(item))
        for name, size in _integers(item).items():
            if is_named_size(name) and size > 1:
                yield (size,), f"{name} = {size}"
    for item in items:
        yield from _first_network(item)
    yield from _indexed(items)
    for item in items[1:]:
        if not isinstance(item, torch.Tensor):
            yield from _named_sizes(_integers(item))
    for item in items:
        for name, tensor in _named_tensors(item):
            yield from _like_parameter(tensor, f"{name!r} has this size")
    for item in items:
        if isinstance(item, torch.Tensor):
            yield from _like_parameter(item, "a tensor that it holds has this size")
    for item in items:
        for name, size in _integers(item).items():
            if size > 1:  # else it counts or switches something
                yield from _of_size(size, f"{name} = {size}")
    yield from _matrices(items)
    for item in items:
        if isinstance(item, nn.Linear):
            # of vectors that are held as images of one pixel
            for size in (2 * item.in_features, item.in_features):
                yield (size, 1, 1), f"a Linear takes {item.in_features} features"
    yield from _named_sizes(_usual_sizes(layer))
    yield from _named_sides([_usual_sizes(layer)], ())


def _multiplied(items: list[Any]) -> Iterator[tuple[Shape, str]]:
    """Yield two sizes of which a third number is the product, as of particles and dims.

    Or it is that of one particle fewer, whose place the others determine. The widths of a
    network are no such number, and steps times dims are no event.
    """
    own = [item for item in items if not _is_network(item)]
    every = {n: name for item in own for name, n in _integers(item).items()}
    held = _integers(items[0]).items()
    sizes = [(name, n) for name, n in held if n > 1 and is_named_size(name)]
    for (one, n), (other, m) in itertools.permutations(sizes, 2):
        counts = (every.get(k) for k in (n * m, (n - 1) * m) if k not in (n, m))
        if (counted := next(filter(None, counts), None)) is not None:
            yield (n, m), f"{counted} counts {one} times {other}"


def _features_last(layer: Any) -> Iterator[tuple[Shape, str]]:
    """Yield, for when all else raises, images and sequences whose last axis is a size held.

    Or is the product of two numbers that one object holds, as groups and their widths.
    """
    for item in reachable(layer):
        sizes = _integers(item)
        held = {f"{name} = {n}": n for name, n in sizes.items()}
        held |= {
            f"{k!r} ends so": t.shape[-1] for k, t in _named_tensors(item) if t.dim()
        }
        for why, size in held.items():
            if 1 < size <= _FEW:
                yield (HEIGHT, WIDTH, size), why
                yield (size, size, 2), why
        for (one, n), (other, m) in itertools.combinations(sizes.items(), 2):
            if n > 1 < m and n * m <= SMALL:
                yield from _of_size(n * m, f"{one} times {other}")
        rows = {t.shape[0] for _, t in _named_tensors(item) if t.dim()}
        for (name, n), m in itertools.product(sizes.items(), sorted(rows)):
            if n > 1 < m:
                yield (m, n), f"{m} rows of {name} = {n}"
    for size in (2, 3):
        yield (LENGTH, size), "runs at this size; the layer's own facts say nothing"


def _matrices(items: list[Any]) -> Iterator[tuple[Shape, str]]:
    """Yield sizes of matrices: one is multiplied from both sides, or joins nodes."""
    features = [item.in_features for item in items if isinstance(item, nn.Linear)]
    named = (tensor for item in items for _, tensor in _named_tensors(item))
    square = [len(t) for t in named if t.dim() == 2 and t.shape[0] == t.shape[1] > 1]
    for sides in itertools.permutations(square[:_FACTORS], 2):
        why = f"square matrices are {sides[0]} and {sides[1]} wide"
        yield from ((sides, why), ((_Free(2), *sides), why))
    for nodes in sorted(set(square)):
        why = f"a matrix joins {nodes} nodes"
        for size in (n * times for n in features[:1] for times in (1, 2)):
            yield (nodes, size), why
        yield (nodes, WIDTH), why


def _indexed(items: list[Any]) -> Iterator[tuple[Shape, str]]:
    """Yield the size of what lists of indices divide among them: 0, 2 and 1, 3."""
    lists = [item for item in items if _is_indices(item)]
    indices = sorted(i for item in lists for i in item.tolist())
    if len(lists) > 1 and indices == list(range(len(indices))):
        yield from _of_size(len(indices), "its lists of indices divide so many")


def _grouped(items: list[Any]) -> Iterator[tuple[Shape, str]]:
    """Yield the size of what is divided into groups, of which a tensor has an entry each."""
    own = (item for item in items if not _is_network(item))
    for item in own:
        numbers = (t for _, t in _named_tensors(item) if t.is_floating_point())
        lengths = {t.shape[0] for t in numbers if t.dim() == 1}
        for name, value in by_name(item).items():
            if not isinstance(value, (tuple, list)) or not all(map(_is_size, value)):
                continue
            if len(value) > 1 and len(value) in lengths and sum(value) != len(value):
                yield (sum(value),), f"{name} = {list(value)} add up to this"


def _is_indices(item: Any) -> bool:
    return (
        isinstance(item, torch.Tensor)
        and item.dim() == 1
        and item.dtype == torch.int64
        and 0 < len(item) <= SMALL
    )


def _stated_shapes(item: Any) -> Iterator[tuple[Shape, str]]:
    held = {**_defaults_of(item), **by_name(item)}
    if isinstance(item, Distribution) and held.get("_event_shape"):
        # its batch is of parameters, not of entries
        event = tuple(held["_event_shape"])
        yield event, f"event_shape = {event}"
        whole = (*held["_batch_shape"], *event)
        yield whole, f"a density of such a batch is of {whole}"
        return
    for name, value in held.items():
        speaks = any(word in name.lower() for word in _SHAPE_WORDS)
        if not speaks or "kernel" in name or is_of_others(name):
            continue
        if isinstance(value, (tuple, list)) and len(value) == 1:
            value = value[0] if isinstance(value[0], (tuple, list)) else value
        if (
            isinstance(value, (tuple, list))
            and 1 <= len(value) <= 3
            and all(_is_size(v) for v in value)
        ):
            yield from with_smaller(tuple(value), f"{name} = {tuple(value)}")


def _defaults_of(item: Any) -> dict[str, Any]:
    """Return what a class of the user's is built with where nobody says otherwise."""
    is_torchs = module_of(type(item)).partition(".")[0] == "torch"
    signature = None if is_torchs else signature_of(type(item))
    return {} if signature is None else signature.defaults


def _usual_sizes(layer: Any) -> dict[str, int]:
    return {name: v for name, v in _defaults_of(layer).items() if _is_size(v)}


def usual_images(layer: Any) -> tuple[Shape, ...]:
    """Return the shapes of images that a class is built for where nobody says otherwise."""
    named = (shape for shape, _ in _named_sides([_usual_sizes(layer)], ()))
    return tuple(s for s in named if not any(isinstance(n, _Free) for n in s))


def _named_sizes(sizes: Mapping[str, int]) -> Iterator[tuple[Shape, str]]:
    for wanted in _FEATURE_NAMES:
        for name, size in sizes.items():
            if name.lstrip("_") == wanted:
                yield from _of_size(size, f"{name} = {size}")


def with_smaller(shape: Shape, why: str) -> Iterator[tuple[Shape, str]]:
    """Yield a shape, and of an image that is large a small one with as many channels."""
    yield shape, why
    if len(shape) == 3 and math.prod(shape) > SMALL:
        yield (shape[0], HEIGHT, WIDTH), why


def _named_sides(
    held: Iterable[Mapping[str, int]], channels: tuple[int, ...]
) -> Iterator[tuple[Shape, str]]:
    """Yield images whose height and width one object has under these names."""
    for each in held:
        sizes = {name.lstrip("_"): size for name, size in each.items()}
        sides = [[name for name in names if name in sizes] for names in _SIDES]
        channels_held = next(
            (
                n
                for n in sizes
                if n in _CHANNELS or ("channels" in n and not is_of_others(n))
            ),
            None,
        )
        if not any(sides) and channels_held and "size" in sizes:
            sides = [["size"], ["size"]]
        if not all(sides):
            continue
        (height, *_), (width, *_) = sides
        depth = channels_held or next((n for n in _FEATURE_NAMES if n in sizes), None)
        named = ", ".join(dict.fromkeys(filter(None, (depth, height, width))))
        for count in (sizes[depth],) if depth else (*channels, 1, 2, 3):
            shape = count, sizes[height], sizes[width]
            yield from with_smaller(shape, f"it holds {named}")


def _first_network(item: Any) -> Iterator[tuple[Shape, str]]:
    if isinstance(item, nn.Linear):
        n, why = item.in_features, f"a Linear takes {item.in_features} features"
        sizes = (n, 2 * n, 2 * n - 1, 2 * n + 1)  # it may take the smaller half
        halves = [_One(1) if size == 1 else size for size in sizes]
        for size in halves:
            yield (size,), why
        for size in halves:
            yield (LENGTH, size), why
    elif isinstance(item, nn.RNNBase):
        why = f"a recurrent layer ({item.mode}) takes {item.input_size}"
        for size in (item.input_size, 2 * item.input_size):
            yield (LENGTH, size), why
    elif isinstance(item, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
        kind = next(each for each in _CONVOLUTIONS if isinstance(item, each))
        n, why = (
            item.in_channels,
            f"a {kind.__name__} takes {item.in_channels} channels",
        )
        yield (n, *_CONVOLUTIONS[kind]), why
        yield (2 * n, *_CONVOLUTIONS[kind]), why
    elif isinstance(item, nn.Module):
        features = looked_up(item, "num_features")
        if isinstance(features, int):
            yield from _of_size(features, "a norm layer has so many features")


def _like_mask(
    mask: torch.Tensor, channels: tuple[int, ...], why: str
) -> Iterator[tuple[Shape, str]]:
    """Yield the mask's shape; a mask that all channels share leaves their number open."""
    shape = tuple(mask.shape)
    if len(shape) == 4:
        held, height, width = shape[1:]
        sides = height if height > 1 else HEIGHT, width if width > 1 else WIDTH
        for c in (held,) if held > 1 else (*channels, 1, 2, 4):
            yield (c, *sides), why
    elif len(shape) == 2:
        yield (shape[1],), why
        yield (1, *shape), why
        yield (2, *shape), why
    elif len(shape) in (1, 3):
        yield shape, why


def _like_parameter(tensor: torch.Tensor, why: str) -> Iterator[tuple[Shape, str]]:
    shape = tuple(tensor.shape)
    if _is_permutation(tensor):
        yield from _of_size(shape[0], why)
        yield (2, shape[0]), why  # along another axis
        yield (2, shape[0], WIDTH), why
        yield (2, HEIGHT, shape[0]), why
    if not tensor.is_floating_point() or not shape:
        return
    if math.prod(shape) == 1:
        if len(shape) == 4:
            # nobody gives a number all axes of images but for a channel
            yield (1, HEIGHT, WIDTH), why
        return
    if len(shape) == 1:
        yield from _of_size(shape[0], why)
    elif len(shape) == 2 and shape[0] in (1, shape[1]):
        yield from _of_size(shape[1], why)
    elif len(shape) == 2:
        if shape[1] > 1:
            yield (shape[1],), why
        yield (shape[0],), why
        if shape[1] == 1:  # a number for each channel of a sequence
            yield (shape[0], _length_beside(shape[0])), why
        yield shape, why
    elif len(shape) == 3:
        if shape[:2] == (1, 1):  # the same, channels last
            yield (_length_beside(shape[2]), shape[2]), why
        if shape[0] > 1 and shape[1:] == (1, 1):  # a number for each channel
            yield (shape[0], HEIGHT, WIDTH), why
            return
        if min(shape) > 1:
            yield shape, why
        yield (shape[1], shape[2] if shape[2] > 1 else LENGTH), why
        yield shape[1:], why
        yield shape, why
    elif len(shape) == 4:
        _, channels, height, width = shape
        if shape[0] == 1 and height * width > 1:
            yield shape[1:], why
        if height == width == 1:
            yield (channels, HEIGHT, WIDTH), why
        else:
            yield (channels, max(height, HEIGHT), max(width, WIDTH)), why
    elif len(shape) == 5 and shape[2:] == (1, 1, 1):
        yield (shape[1], FRAMES, HEIGHT, WIDTH), why


def _is_per_channel(tensor: torch.Tensor) -> bool:
    """Return whether it has the axes of a batch: how many there are is stated by that."""
    shape = tensor.shape
    if len(shape) < 3 or shape[0] != 1 or set(shape[2:]) != {1}:
        return False
    return shape[1] > 1 or len(shape) == 4


def _length_beside(size: int) -> _Free:
    """Return a length of our own choice that is another number."""
    return WIDTH if size == LENGTH else LENGTH


def _of_size(size: int, why: str) -> Iterator[tuple[Shape, str]]:
    size = _One(1) if size == 1 else size
    if size >= 1:
        yield (size,), why
        if size <= _FEW:
            yield (2 * size,), f"{why}, of each of two halves"
            yield (size, HEIGHT, WIDTH), why
            yield (size, LENGTH), why
            yield (LENGTH, size), why
            yield (size, FRAMES, HEIGHT, WIDTH), why


def _is_permutation(tensor: torch.Tensor) -> bool:
    if tensor.dim() != 1 or len(tensor) < 2:
        return False
    if tensor.is_floating_point() or tensor.is_complex():
        return False
    return bool((tensor.sort().values == torch.arange(len(tensor))).all())


def _named_tensors(item: Any) -> Iterator[tuple[str, torch.Tensor]]:
    named = _tensors_by_name(item)
    yield from ((name, tensor) for name, tensor in named if is_plain(tensor))


def _tensors_by_name(item: Any) -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(item, nn.Module):
        yield from item.named_buffers(recurse=False)
        yield from item.named_parameters(recurse=False)
    if not isinstance(item, (torch.Tensor, dict)):
        for name, value in attributes(item).items():
            if isinstance(value, torch.Tensor):
                yield name, value
            elif isinstance(value, np.ndarray) and value.dtype.kind in "fi":
                yield name, torch.as_tensor(value.copy())
            elif _is_listed(value):
                yield name, torch.tensor(value)


def _is_listed(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and 1 < len(value) <= SMALL
        and all(type(entry) is int and abs(entry) < 100_000 for entry in value)
    )


def _integers(item: Any) -> dict[str, int]:
    if isinstance(item, torch.Tensor):
        return {}
    return {name: v for name, v in by_name(item).items() if _is_size(v)}


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, int) and not isinstance(value, bool) and 0 < value < 100_000
    )
