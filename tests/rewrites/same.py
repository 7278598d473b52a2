"""Whether two layers are one function: both are called alike, and answer alike.

ldjcheck has no part in that. Whatever is public in the first is called with an input, and
with what else may be wanted beside it.
"""

from __future__ import annotations

import dataclasses
import inspect
from itertools import product
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .protocol import is_fixed_method

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BATCH = 3
_SIZES = (1, 2, 3, 4, 5, 8)  # of a context
Answer = tuple[Any, ...] | str


def are_same(first: Any, second: Any, shape: tuple[int, ...] | None) -> bool:
    """Return whether they answer alike, as they are built and with moved parameters.

    Where nothing is returned at the shape, another is tried.
    """
    for each in dict.fromkeys([shape or (4,), *((size,) for size in _SIZES)]):
        one, other = _answers(first, each, first), _answers(second, each, first)
        if any(not isinstance(answer, str) for answer in one):
            break
    else:
        return False
    if _moved(first) and _moved(second):
        one += _answers(first, each, first)
        other += _answers(second, each, first)
    return len(one) == len(other) and all(map(_is_same, one, other))


def _answers(layer: Any, shape: tuple[int, ...], like: Any) -> list[Answer]:
    found: list[Answer] = []
    for name in _ways(like):
        asked = like if name is None else getattr(like, name)
        asked = like.forward if name is None and isinstance(like, nn.Module) else asked
        for args, kwargs in _calls(asked, shape):
            function = layer if name is None else getattr(layer, name, None)
            torch.manual_seed(1)
            try:
                found.append(tuple(_flat(function(*args, **kwargs))))
            except Exception as error:
                found.append(type(error).__name__)
    return found


def _ways(layer: Any) -> list[str | None]:
    """Return what is called from outside: the layer itself, None, and methods."""
    own = [
        name
        for cls in type(layer).__mro__
        if cls.__module__.startswith("rewritten_")
        for name, value in vars(cls).items()
        if inspect.isfunction(value) and is_fixed_method(name) and name[:2] != "__"
    ]
    called: list[str | None] = [None] if callable(layer) else []
    return [*called, *dict.fromkeys(name for name in own if name != "forward")]


def _calls(function: Any, shape: tuple[int, ...]) -> Iterator[tuple[Any, Any]]:
    """Yield arguments that a function may take, of one batch of inputs."""
    parameters = [*inspect.signature(function).parameters.values()]
    places = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )
    needed = [p for p in parameters if p.kind in places and p.default is p.empty]
    flags: list[Mapping[str, Any]] = [{}]
    flags += [
        {p.name: not p.default} for p in parameters if isinstance(p.default, bool)
    ]
    flags += [
        {p.name: -1} for p in parameters if p.default == 1 and p.default is not True
    ]
    flags += [
        {p.name: "inverse"} for p in parameters if p.default in ("direct", "forward")
    ]
    torch.manual_seed(2)
    normal = torch.randn(_BATCH, *shape)
    inputs = (normal, torch.rand(_BATCH, *shape), normal.double())
    for x, flag in product(inputs, flags):
        zeros = torch.zeros(_BATCH)
        contexts = [torch.randn(_BATCH, size) for size in _SIZES]
        beside = (zeros, torch.flip(x, (0,)), zeros[:, None], zeros.long(), *contexts)
        first: list[Any] = [x, (x,), [x], (x, zeros), _BATCH, (_BATCH,)]
        if len(needed) > 1:
            for given in product(beside, repeat=min(len(needed) - 1, 2)):
                yield (x, *given), flag
        elif not needed and not any(p.kind in places for p in parameters):
            yield (), flag
        else:
            for given in first:
                yield (given,), flag


def _flat(result: Any) -> Iterator[Any]:
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        result = tuple(getattr(result, f.name) for f in dataclasses.fields(result))
    if isinstance(result, dict):
        result = tuple(result.values())
    if isinstance(result, (tuple, list)):
        for each in result:
            yield from _flat(each)
    else:
        yield result.detach().clone() if isinstance(result, Tensor) else result


def _is_same(one: Answer, other: Answer) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str)
    return len(one) == len(other) and all(map(_is_same_value, one, other))


def _is_same_value(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return (
            isinstance(other, Tensor)
            and one.shape == other.shape
            and torch.allclose(one.double(), other.double(), 1e-4, 1e-5, equal_nan=True)
        )
    return type(one) is type(other) and (
        not isinstance(one, (bool, int, float, str, type(None))) or one == other
    )


def _moved(layer: Any) -> bool:
    """Move the parameters of a module; return whether there are any."""
    if not isinstance(layer, nn.Module) or not [*layer.parameters()]:
        return False
    torch.manual_seed(3)
    with torch.no_grad():
        for each in layer.parameters():
            if each.is_floating_point():
                each.add_(0.2 * torch.randn_like(each))
    return True
