"""Whether a layer is a flow: whether it holds a row of layers that each have a way back."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import torch

from ldjcheck.conventions import recognise_conventions
from ldjcheck.holdings import module_of, reachable


def is_flow(layer: Any) -> bool:
    """Return whether a layer holds a list of layers that each have a way back."""
    lists = (list, tuple, torch.nn.ModuleList, torch.nn.Sequential)

    def is_layer(item: Any) -> bool:
        if module_of(type(item)).startswith(("torch.nn", "builtins")):
            return False
        found = recognise_conventions(item) if callable(item) else ()
        return any(calls.accumulates or calls.inverse is not None for calls in found)

    def has_two(items: Iterable[Any]) -> bool:
        return len([*itertools.islice(filter(is_layer, items), 2)]) == 2

    return any(has_two(item) for item in reachable(layer) if isinstance(item, lists))
