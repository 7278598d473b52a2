"""What one call does with the event's axes that shows a size or shape that is not meant.

A layer whose halves have one entry each runs on three entries too: one half is then spread
over the two of the other, and counted once. That is no size of the layer's. Neither is a
vector where an image is meant, whose pixels are put into one axis: there is one pixel.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from ldjcheck.records import Shape
from ldjcheck.tape.frames import innermost_place
from ldjcheck.tracing import Args, Named, Operation, Operations

Where = tuple[str, int, int] | None


_VIEWS = frozenset({"view", "reshape"})
_IN_PARTS = frozenset({"chunk", "split", "tensor_split"})


class Spreads(Operations):
    """Notes where parts are spread, empty or left, and whether axes were looked for in vain.

    Two tensors count that have an entry for each sample, and as many axes. What has no
    entry for each sample is a parameter, and is meant for all entries; so is a sum that
    keeps its axis, as of a radius, and what has an axis put in. A batch must not be as
    large as an axis of the event.
    """

    def __init__(self, batch: int) -> None:
        super().__init__()
        self._batch = batch
        self.seen: set[tuple[Where, int]] = set()  # the axis, from the last, with each
        # Axes of size one of what is spread along others: made for one entry, or of one.
        self.single: set[tuple[Where, int]] = set()
        self.empty: bool = False  # a part had no entries at all
        self._filled: dict[Where, bool] = {}  # whether a place ever had an entry
        self.opened: bool = False  # axes behind the event's one were looked for
        self.uneven: bool = False  # what is halved had an entry too many
        self.unread: bool = False  # what is looked up in had rows that nobody asks for
        # Axes of size one, on purpose: kept by a sum, or put in to be spread.
        self._made: dict[int, tuple[Tensor, set[int]]] = {}

    @property
    def always_empty(self) -> bool:
        """Whether parts at one place never had entries.

        The first of a loop's prefixes has none, and those that follow have.
        """
        return not all(self._filled.values())

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        """Run the operation, and look at the sizes that go in and come out."""
        result = func(*args, **named)
        self.uneven = self.uneven or _leaves_a_rest(name, args, result)
        self.unread = self.unread or _asks_for_fewer(name, args, result)
        if not isinstance(result, Tensor):
            return result
        parts = [a for a in args if isinstance(a, Tensor) and self._is_of_samples(a)]
        size = tuple(result.shape)
        ones = {axis - len(size) for axis, n in enumerate(size) if n == 1}
        made = ones & {*_added_axes(name, args, named, len(size))}
        if named.get("keepdim") or any(a is True for a in args[1:]):
            made = ones
        if parts:
            made |= ones.intersection(*map(self._made_of, parts))
        if made:
            self._made[id(result)] = result, made
        if self._is_of_samples(result):
            self.empty = self.empty or result.numel() == 0
            at = _where()
            self._filled[at] = self._filled.get(at, False) or result.numel() > 0
            self.opened = self.opened or _opens(name, args, result)
        if axes := _spread_axes({self._spread(p, size) for p in parts}, size):
            where = _where()
            self.seen.update((where, axis) for axis in axes)
            self.single.update((where, axis) for axis in ones)
        return result

    def _made_of(self, part: Tensor) -> set[int]:
        return self._made.get(id(part), (part, set[int]()))[1]

    def _spread(self, part: Tensor, size: Shape) -> Shape:
        """Return the shape of a part whose axes that were made for it are spread."""
        made = self._made_of(part) if part.dim() == len(size) else ()
        axes = enumerate(part.shape, start=-part.dim())
        return tuple(size[axis] if axis in made else n for axis, n in axes)

    def _is_of_samples(self, tensor: Tensor) -> bool:
        if tensor.is_nested or tensor.dim() < 2:
            return False
        return tensor.shape[0] == self._batch


def _where() -> Where:
    place = innermost_place()
    return None if place is None else (place.file, place.line, place.column)


def _added_axes(name: str, args: Args, named: Named, dims: int) -> Iterator[int]:
    """Yield axes that are put in, from the last: `x.unsqueeze(1)`, `x[..., None]`."""
    if name == "unsqueeze":
        axis = args[1] if len(args) > 1 else named["dim"]
        yield axis if axis < 0 else axis - dims
    if name == "__getitem__":
        index = args[1] if isinstance(args[1], tuple) else (args[1],)
        left = [each for each in index if not isinstance(each, int)]
        for at, each in enumerate(left):
            if each is None:
                is_behind = any(before is ... for before in left[:at])
                yield at - (len(left) if is_behind else dims)


def _opens(name: str, args: Args, result: Tensor) -> bool:
    """Return whether a view puts all axes behind the channels into one, and finds none."""
    if name not in _VIEWS or result.dim() != 3:
        return False
    last = args[-1][-1] if isinstance(args[-1], (tuple, list)) else args[-1]
    return type(last) is int and last == -1 and result.shape[-1] == 1


def _leaves_a_rest(name: str, args: Args, result: Any) -> bool:
    """Return whether parts that should be of one size are not: their number does not fit."""
    if name not in _IN_PARTS or not isinstance(result, (tuple, list)):
        return False
    # by the sizes of parts
    is_told = len(args) > 1 and isinstance(args[1], (tuple, list))
    parts = [part for part in result if isinstance(part, Tensor)]
    return not is_told and len({tuple(part.shape) for part in parts}) > 1


def _asks_for_fewer(name: str, args: Args, result: Any) -> bool:
    """Return whether a `gather` leaves rows of its table out: torch lets it, unlike more."""
    if name != "gather" or not isinstance(result, Tensor):
        return False
    table = args[0]
    along = args[1] % table.dim() if len(args) > 1 and table.dim() else None
    sizes = enumerate(zip(result.shape, table.shape, strict=True))
    return along is not None and any(
        asked < held for axis, (asked, held) in sizes if axis != along
    )


def _spread_axes(shapes: set[Shape], result: Shape) -> list[int]:
    """Return along which axes, from the last, tensors of these shapes are spread.

    None of a result that is not as large as these, spread over each other.
    """
    if len(shapes) < 2 or len({len(shape) for shape in shapes}) > 1:
        return []
    try:
        # torch's own loads its symbolic shapes for this, and a library of algebra with them
        if np.broadcast_shapes(*shapes) != result:
            return []
    except ValueError:
        return []
    sizes = list(zip(*shapes, strict=True))
    return [i - len(sizes) for i, at in enumerate(sizes) if len(set(at)) > 1]
