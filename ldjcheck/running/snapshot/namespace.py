"""What torch offers, remembered, to tell when a layer has replaced a part of it."""

from __future__ import annotations

import builtins
from typing import Any

import torch


class Namespace:
    """The functions of torch and of Python as they were when this was made."""

    def __init__(self) -> None:
        places = (torch, torch.Tensor, torch.linalg, torch.nn.functional, builtins)
        self._known = [(place, _held(place)) for place in places]

    def replaced(self) -> str | None:
        """Return the name of the first function that is another one now; None if none is."""
        for place, known in self._known:
            now = _held(place)
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


def _held(place: Any) -> dict[str, Any]:
    """Return what a module or a class holds by name, inherited from others too."""
    bases = place.__mro__[::-1] if isinstance(place, type) else (place,)
    return {name: value for base in bases for name, value in vars(base).items()}


def _is_torchs(function: Any, name: str) -> bool:
    """Return whether a function is torch's own, and the one of that name."""
    is_torchs = str(getattr(function, "__module__", "")).startswith("torch")
    return is_torchs and getattr(function, "__name__", name) == name
