"""Whole numbers that a layer holds for sizes of its events, set to those that it is run at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from ldjcheck.holdings import reachable
from ldjcheck.records import Shape


@dataclass(frozen=True, slots=True)
class Counted:
    """A whole number that the layer holds: in which object, and under which name."""

    owner: int  # among all that the layer holds, nearest first
    name: str  # of an attribute, its own or its class's, or the key of a dict
    index: int | None  # of an entry, where it is a tuple that has the name
    value: int


Axes = tuple[int, int]
"""From which axis of an event to before which one: the number counts their entries."""


def hold(layer: Any, values: Mapping[Counted, int]) -> None:
    """Set numbers of a copy; whatever its own setting of attributes raises is raised."""
    held = list(reachable(layer))
    for number, value in values.items():
        owner = held[number.owner]
        name = number.name
        old = owner[name] if issubclass(type(owner), dict) else getattr(owner, name)
        at = number.index
        new = _like(old, value) if at is None else _with_entry(old, at, value)
        if issubclass(type(owner), dict):
            owner[name] = new
            continue
        try:
            setattr(owner, name, new)
        except AttributeError:  # it is frozen, as what is configured often is
            object.__setattr__(owner, name, new)


def _with_entry(old: Any, index: int, value: int) -> Any:
    """Return a tuple or list of the same kind with another entry."""
    parts = list(old)
    parts[index] = _like(parts[index], value)
    made = getattr(type(old), "_make", type(old))  # of a named tuple
    return made(parts)


def _like(old: Any, value: int) -> Any:
    """Return a number as the old one was: a whole one, one with a point, or a tensor."""
    if isinstance(old, Tensor):
        return torch.full_like(old, value)
    return type(old)(value)


def sizes_at(sized: Mapping[Counted, Axes], shape: Shape) -> dict[Counted, int]:
    """Return what numbers are at events of a shape."""
    return {number: prod(shape[start:stop]) for number, (start, stop) in sized.items()}
