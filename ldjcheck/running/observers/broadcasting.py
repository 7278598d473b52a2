"""What one call does with the event's axes that shows a size or shape that is not meant.

A layer whose halves have one entry each runs on three entries too: one half is then spread
over the two of the other, and counted once. That is no size of the layer's. Neither is a
vector where an image is meant, whose pixels are put into one axis: there is one pixel.
"""

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
    keeps its axis, as of a radius. A batch must not be as large as an axis of the event.
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
        self._kept: list[Any] = []  # axes of size one, on purpose

    @property
    def always_empty(self) -> bool:
        """Whether parts at one place never had entries.

        The first of a loop's prefixes has none, and those that follow have.
        """
        return not all(self._filled.values())

    def operate(self, name: str, func: Operation, args: Args, named: Named) -> Any:
        """Run the operation, and look at the sizes that go in and come out."""
        result = func(*args, **named)
        parts = [a for a in args if isinstance(a, Tensor) and self._is_of_samples(a)]
        is_kept = bool(parts) and all(any(p is k for k in self._kept) for p in parts)
        if is_kept or named.get("keepdim") or any(a is True for a in args[1:]):
            self._kept.append(result)
        parts = [p for p in parts if not any(p is k for k in self._kept)]
        shapes = {tuple(part.shape) for part in parts}
        if isinstance(result, Tensor) and self._is_of_samples(result):
            self.empty = self.empty or result.numel() == 0
            at = _where()
            self._filled[at] = self._filled.get(at, False) or result.numel() > 0
            self.opened = self.opened or _opens(name, args, result)
        self.uneven = self.uneven or _leaves_a_rest(name, args, result)
        self.unread = self.unread or _asks_for_fewer(name, args, result)
        size = tuple(result.shape) if isinstance(result, Tensor) else None
        if size is not None and (axes := _spread_axes(shapes, size)):
            where = _where()
            self.seen.update((where, axis) for axis in axes)
            ones = (axis - len(size) for axis, n in enumerate(size) if n == 1)
            self.single.update((where, axis) for axis in ones)
        return result

    def _is_of_samples(self, tensor: Tensor) -> bool:
        if tensor.is_nested or tensor.dim() < 2:
            return False
        return tensor.shape[0] == self._batch


def _where() -> Where:
    place = innermost_place()
    return None if place is None else (place.file, place.line, place.column)


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
