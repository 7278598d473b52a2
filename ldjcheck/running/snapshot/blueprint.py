"""What copies of one layer are made from: its state written down once, read many times.

A check takes hundreds of copies, and `copy.deepcopy` walks a layer's objects in Python
each time. A blueprint holds what the same walk finds, in the form that `pickle` reads in
C; tensors and arrays alone are copied one by one. It follows the same protocol
(`__reduce_ex__`), so that a copy is what `deepcopy` would have made. Where the two could
differ, there is no blueprint.
"""

import contextlib
import copy
import enum
import io
import pickle
import types
import weakref
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ldjcheck.object_graph import reachable
from ldjcheck.running.snapshot.isolation import CopiesOfResults, holds_state

_PROTOCOL = 4  # the one that `deepcopy` asks objects for
_SHARED = (
    type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType,
    types.CodeType, property, weakref.ref, enum.Enum, np.generic, torch.dtype,
    torch.device, torch.layout, torch.memory_format,
)  # fmt: skip  # `deepcopy` hands these on as they are
_COPIED = (Tensor, np.ndarray)
_TENSORS = (Tensor, torch.nn.Parameter)


class NoBlueprintError(Exception):
    """Only the layer's own way of being copied will do."""


class Blueprint:
    """What copies of a layer are made from.

    Args:
        layer: what is copied. Later changes to it do not show in copies.

    Raises:
        NoBlueprintError: its state cannot be written down, or a copy would not be what
            `deepcopy` makes of it.
    """

    def __init__(self, layer: Any) -> None:
        held = list(reachable(layer))
        if any(_copies_itself(item) for item in held):
            raise NoBlueprintError
        try:
            self._state, self._kept = _written(layer)
            self._alone = _alone(self._kept)
            self._plain = all(
                not isinstance(item, Tensor) or item.is_leaf for item in self._kept
            )
            again = list(reachable(self.copy()[0]))
        except Exception as error:  # whatever the layer's own state does about it
            raise NoBlueprintError from error
        if list(map(type, again)) != list(map(type, held)):
            raise NoBlueprintError

    def copy(self, followed: Sequence[Tensor] = ()) -> tuple[Any, list[Tensor]]:
        """Return a copy, and what became of these tensors of the layer in it."""
        reader = _Reader(io.BytesIO(self._state), self._kept, self._alone)
        if self._plain:
            twin = reader.load()
        else:
            with CopiesOfResults():
                twin = reader.load()
        return twin, [reader.copies[id(tensor)] for tensor in followed]


class Still:
    """What a layer that has a blueprint holds at a moment, down to the last bit.

    Args:
        layer: the layer, or a copy that was made from its blueprint.
    """

    def __init__(self, layer: Any) -> None:
        self._state, self._kept = b"", list[Any]()  # what no layer is written down as
        with contextlib.suppress(Exception):  # its own state may do anything about it
            self._state, self._kept = _written(layer)
        self._numbers = [
            item.detach().clone() if isinstance(item, Tensor) else item.copy()
            for item in self._kept
            if isinstance(item, _COPIED)
        ]

    def holds_for(self, layer: Any) -> bool:
        """Return whether the layer still holds the very same."""
        try:
            state, kept = _written(layer)
            if state != self._state or [*map(id, kept)] != [*map(id, self._kept)]:
                return False
            now = [item for item in kept if isinstance(item, _COPIED)]
            return all(map(_is_equal, now, self._numbers))
        except Exception:  # what it holds cannot be written down, or compared
            return False


def _is_equal(a: Tensor | NDArray[Any], b: Tensor | NDArray[Any]) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and torch.equal(a, b)
    return np.array_equal(a, b)


def _written(layer: Any) -> tuple[bytes, list[Any]]:
    """Return a layer's state as it is written down, and what is kept aside."""
    written = io.BytesIO()
    writer = _Writer(written)
    writer.dump(layer)
    return written.getvalue(), writer.kept


class _Writer(pickle.Pickler):
    """Writes down an object's state; keeps aside what is copied, or shared, as a whole."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, _PROTOCOL)
        self.kept: list[Any] = []
        self._places: dict[int, int] = {}

    def persistent_id(self, item: Any) -> int | None:
        """Return the number of what is kept aside; None for what is written down."""
        if not isinstance(item, (*_SHARED, *_COPIED)):
            return None
        if id(item) not in self._places:
            self._places[id(item)] = len(self.kept)
            self.kept.append(item)
        return self._places[id(item)]

    def reducer_override(self, item: Any) -> Any:
        """Return how a bound method is written down: the function itself, not its name."""
        if isinstance(item, types.MethodType):
            return types.MethodType, (item.__func__, item.__self__)
        return NotImplemented


class _Reader(pickle.Unpickler):
    """Makes one copy: what was kept aside is copied once, or handed on as it is."""

    def __init__(
        self, file: io.BytesIO, kept: Sequence[Any], alone: frozenset[int]
    ) -> None:
        super().__init__(file)
        self._kept, self._alone = kept, alone
        self.copies: dict[int, Any] = {}

    def persistent_load(self, place: int) -> Any:
        """Return what stands for something that was kept aside."""
        item = self._kept[place]
        if place not in self._alone:
            deep = isinstance(item, _COPIED)
            return copy.deepcopy(item, self.copies) if deep else item
        if id(item) not in self.copies:
            twin = item.detach().clone()
            if type(item) is torch.nn.Parameter:
                twin = torch.nn.Parameter(twin, item.requires_grad)
            self.copies[id(item)] = twin
        return self.copies[id(item)]


def _alone(kept: Sequence[Any]) -> frozenset[int]:
    """Return the places of tensors that are nothing but their own numbers.

    No other shares their memory, no gradient hangs on them: cloned, they are copied.
    """
    tensors = [item for item in kept if isinstance(item, Tensor)]
    storages = Counter(map(_memory_of, tensors))
    return frozenset(
        place
        for place, item in enumerate(kept)
        if isinstance(item, Tensor)
        and storages[_memory_of(item)] == 1
        and _is_whole(item)
        and (type(item) is torch.nn.Parameter or not item.requires_grad)
        and item.is_leaf
        and item.grad is None
    )


def _memory_of(tensor: Tensor) -> int | None:
    is_plain = tensor.layout is torch.strided and tensor.device.type == "cpu"
    return tensor.untyped_storage().data_ptr() if is_plain else None


def _is_whole(tensor: Tensor) -> bool:
    """Return whether a tensor is all that its memory holds, in order."""
    if _memory_of(tensor) is None:
        return False
    size = tensor.numel() * tensor.element_size()
    return tensor.is_contiguous() and tensor.untyped_storage().nbytes() == size


def _copies_itself(item: object) -> bool:
    """Return whether an object has a way of its own of being copied."""
    if isinstance(item, Tensor):
        # What else it holds may be part of the layer, and be written down as well.
        return type(item) not in _TENSORS or bool(vars(item))
    if isinstance(item, (np.ndarray, np.generic, enum.Enum)):
        return False
    if isinstance(item, types.FunctionType):
        return holds_state(item)
    return hasattr(type(item), "__deepcopy__")
