"""What a layer, and torch around it, holds at a moment, to be compared with later."""

import builtins
import contextlib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ldjcheck.object_graph import attributes, is_plain, reachable


class Namespace:
    """The functions of torch and of Python as they were when this was made."""

    def __init__(self) -> None:
        places = (torch, torch.Tensor, torch.linalg, torch.nn.functional, builtins)
        self._known = [(place, _names_held(place)) for place in places]

    def replaced(self) -> str | None:
        """Return the name of the first function that is another one now; None if none is."""
        for place, known in self._known:
            now = _names_held(place)
            for name, value in known.items():
                new = now.get(name)
                if new is value or not callable(value):
                    continue
                # torch itself wraps some of its functions when they are first needed
                if not callable(new) or not _is_torchs(new, name):
                    where = getattr(place, "__qualname__", place.__name__)
                    prefix = "torch." if place is torch.Tensor else ""
                    return f"{prefix}{where}.{name}"
        return None


def _names_held(place: Any) -> dict[str, Any]:
    """Return what a module or a class holds by name, inherited from others too."""
    bases = place.__mro__[::-1] if isinstance(place, type) else (place,)
    return {name: value for base in bases for name, value in vars(base).items()}


def _is_torchs(function: Any, name: str) -> bool:
    """Return whether a function is torch's own, and the one of that name."""
    is_torchs = str(getattr(function, "__module__", "")).startswith("torch")
    return is_torchs and getattr(function, "__name__", name) == name


Kind = Literal["learned", "buffer", "attribute"]
_PLAIN = (bool, int, float, str, type(None))
_NOT_STATE = frozenset({"training", "_modules", "_parameters", "_buffers"})
_MANY = 64  # entries of a container; more is data


@dataclass(frozen=True, slots=True)
class Held:
    """One value, copied, and whether training moves it, or it is registered."""

    kind: Kind
    value: Any


State = dict[str, Held]


def state_of(layer: Any) -> State:
    """Return copies of the tensors, arrays and plain values that a layer holds, by name."""
    return {name: Held(kind, _copied(value)) for name, kind, value in _held(layer)}


def tensors_by_name(layer: Any) -> dict[str, Tensor]:
    """Return the layer's own tensors under the names of `state_of`."""
    return {name: v for name, _, v in _held(layer) if isinstance(v, Tensor)}


def changed(
    before: State,
    after: State,
    kinds: tuple[Kind, ...] = ("learned", "buffer", "attribute"),
) -> tuple[str, ...]:
    """Return the names of what is not the same any more, or new."""
    return tuple(
        name
        for name, held in after.items()
        if held.kind in kinds
        and (name not in before or not _is_same(before[name].value, held.value))
    )


def _held(layer: Any) -> Iterator[tuple[str, Kind, Any]]:
    """Yield name, kind and value of all state, each once."""
    paths = dict(_paths(layer))
    for item in reachable(layer):
        if isinstance(item, (Tensor, dict, list, tuple, set, frozenset)):
            continue
        own = paths.get(
            id(item), f"{type(item).__name__}." if item is not layer else ""
        )
        if isinstance(item, torch.nn.Module):
            for name, learned in item._parameters.items():
                if _is_state(learned):
                    yield f"{own}{name}", _kind(learned, "learned"), learned
            for name, buffer in item._buffers.items():
                if _is_state(buffer):
                    yield f"{own}{name}", "buffer", buffer
        for name, value in (*attributes(item).items(), *_enclosed(item)):
            if name in _NOT_STATE or name.endswith("_hooks"):
                continue
            for key, part in _parts(value):
                yield f"{own}{name}{key}", _kind(part, "attribute"), part


def _enclosed(item: Any) -> Iterator[tuple[str, Any]]:
    """Yield the variables that a function keeps of the one in which it was made."""
    if isinstance(item, types.FunctionType):
        for name, cell in zip(
            item.__code__.co_freevars, item.__closure__ or (), strict=True
        ):
            with contextlib.suppress(ValueError):  # nothing is in it yet
                yield name, cell.cell_contents


def _paths(layer: Any) -> Iterator[tuple[int, str]]:
    if isinstance(layer, torch.nn.Module):
        for name, module in layer.named_modules():
            yield id(module), f"{name}." if name else ""


def _kind(value: Any, otherwise: Kind) -> Kind:
    learned = isinstance(value, Tensor) and value.is_leaf and value.requires_grad
    if learned:
        return "learned"
    return "buffer" if otherwise == "learned" else otherwise


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a value, or the entries of a small container, if they are state at all."""
    if _is_state(value):
        yield "", value
    elif isinstance(value, (list, tuple)) and len(value) <= _MANY:
        for index, part in enumerate(value):
            if _is_state(part):
                yield f"[{index}]", part
    elif isinstance(value, dict) and len(value) <= _MANY:
        entries: Mapping[Any, Any] = value
        for key, part in entries.items():
            if _is_state(part):
                yield f"[{key!r}]", part


def _is_state(value: Any) -> bool:
    if isinstance(value, Tensor):
        return is_plain(value)
    return isinstance(value, (*_PLAIN, np.ndarray))


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    return value.copy() if isinstance(value, np.ndarray) else value


def _is_same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        same: bool = torch.equal(a, b) or bool(((a == b) | ((a != a) & (b != b))).all())
        return same
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and bool(np.array_equal(a, b))
    return type(a) is type(b) and bool(a == b or (a != a and b != b))
