"""The zoo: all layers whose mistakes, or innocence, are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.classroom.animals import scaling

if TYPE_CHECKING:
    from ldjcheck.classroom.animal import Animal

FAMILIES: tuple[tuple[Animal, ...], ...] = (scaling.ANIMALS,)

ANIMALS: tuple[Animal, ...] = tuple(animal for kin in FAMILIES for animal in kin)


def wrong_ones() -> tuple[Animal, ...]:
    """Return the layers with a mistake, family by family."""
    return tuple(animal for animal in ANIMALS if animal.code is not None)


def right_ones() -> tuple[Animal, ...]:
    """Return the layers without one."""
    return tuple(animal for animal in ANIMALS if animal.code is None)
