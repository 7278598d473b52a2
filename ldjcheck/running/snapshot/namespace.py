"""What torch offers, remembered, to tell when a layer has replaced a part of it."""

from __future__ import annotations

import builtins
from typing import Any

import torch


class Namespace:
    """The functions of torch and of Python as they were when this was made."""

    def __init__(self) -> None:
        places = (torch, torch.Tensor, torch.linalg, torch.nn.functional, builtins)
        self._known = [(place, dict(vars(place))) for place in places]

    def replaced(self) -> str | None:
        """Return the name of the first function that is another one now; None if none is."""
        for place, known in self._known:
            now: Any = vars(place)
            for name, value in known.items():
                new = now.get(name)
                if new is value or not callable(value):
                    continue
                # torch itself wraps some of its functions when they are first needed
                if not callable(new) or not _is_torchs(new):
                    where = getattr(place, "__qualname__", place.__name__)
                    prefix = "torch." if place is torch.Tensor else ""
                    return f"{prefix}{where}.{name}"
        return None


def _is_torchs(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).startswith("torch")
