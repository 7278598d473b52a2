"""Whole numbers that a layer holds for sizes of its events, set to those that it is run at."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from ldjcheck.holdings import attributes, reachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ldjcheck.records import Shape


@dataclass(frozen=True, slots=True)
class Counted:
    """A whole number that the layer holds: in which object, and under which name."""

    owner: int  # among all that the layer holds, nearest first
    name: str
    index: int | None  # of an entry, where it is a tuple that has the name
    value: int


Axes = tuple[int, int]
"""From which axis of an event to before which one: the number counts their entries."""


def hold(layer: Any, values: Mapping[Counted, int]) -> None:
    """Set numbers of a copy; whatever its own setting of attributes raises is raised."""
    held = list(reachable(layer))
    for number, value in values.items():
        owner = held[number.owner]
        new: Any = value
        if number.index is not None:
            entries = list(attributes(owner)[number.name])
            entries[number.index] = value
            new = type(attributes(owner)[number.name])(entries)
        setattr(owner, number.name, new)


def sizes_at(sized: Mapping[Counted, Axes], shape: Shape) -> dict[Counted, int]:
    """Return what numbers are at events of a shape."""
    return {number: prod(shape[start:stop]) for number, (start, stop) in sized.items()}
