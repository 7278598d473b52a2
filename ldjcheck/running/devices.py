"""Where a copy of the layer runs: on the CPU, unless the user names another device."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor

from ldjcheck.errors import CannotCheckError
from ldjcheck.holdings import attributes, reachable, tensors

CPU = torch.device("cpu")


def usable(name: str | None) -> torch.device:
    """Return the device of that name; the CPU where none is named.

    Raises:
        CannotCheckError: torch cannot put numbers there.
    """
    if name is None:
        return CPU
    try:
        one = torch.ones(1, device=name)
        one.tolist()
    except Exception as error:  # each kind of device has its own way of being absent
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise CannotCheckError(
            "LDJ006",
            f"No input can be put on the device {name}.",
            (f"torch says: {told}", "Without --device a copy on the CPU is checked."),
        ) from None
    return one.device


def moved(copy: Any, device: torch.device) -> None:
    """Move a copy to a device.

    What it keeps as the name of the device that it was on is changed, too: layers make
    tensors of their own by it.

    Raises:
        CannotCheckError: its tensors hold no numbers that could be moved.
    """
    held = list(reachable(copy))
    elsewhere = [t for t in held if isinstance(t, Tensor) and t.device != device]
    if not elsewhere and not any(_is_other(item, device) for item in held):
        return
    if any(tensor.is_meta for tensor in elsewhere):
        raise CannotCheckError(
            "LDJ006",
            "The layer's tensors are on the device meta, which holds no numbers.",
            ("Put it on one that does: layer.to_empty(device='cpu'), and reset it.",),
        )
    names = {str(tensor.device) for tensor in elsewhere}
    names |= {tensor.device.type for tensor in elsewhere}
    for tensor in elsewhere:
        grad = tensor.grad if tensor.is_leaf else None
        if grad is not None:
            tensor.grad = None
        tensor.data = tensor.data.to(device)
        if grad is not None:
            tensor.grad = grad.to(device)
    for item in held:
        for key, value in _kept(item):
            if _is_other(value, device):
                _put(item, key, device)
            elif isinstance(value, str) and value in names:
                _put(item, key, str(device))


def said_of_device(layer: Any, name: str | None) -> str | None:
    """Return where a layer is checked, if that is not where it is; None if it is."""
    there = sorted({str(tensor.device) for tensor in tensors(layer)})
    here = str(usable(name))
    if there in ([], [here]):
        return None if name is None else f"{here}: as you said"
    return f"{here}: a copy of the layer, which is on {', '.join(there)}"


def placed(value: Any, device: torch.device) -> Any:
    """Return a tensor on the device; anything else as it is."""
    return value.to(device) if isinstance(value, Tensor) else value


def _is_other(value: Any, device: torch.device) -> bool:
    return isinstance(value, torch.device) and value.type != device.type


def _kept(item: Any) -> list[tuple[Any, Any]]:
    """Return what an object keeps, with its key or name."""
    if issubclass(type(item), dict):
        return list(item.items())
    if issubclass(type(item), list):
        return list(enumerate(item))
    return [] if isinstance(item, Tensor) else list(attributes(item).items())


def _put(item: Any, key: Any, value: Any) -> None:
    if issubclass(type(item), (dict, list)):
        item[key] = value
        return
    with contextlib.suppress(AttributeError, TypeError):  # a read-only one stays
        object.__setattr__(item, key, value)
