"""The zoo: all layers whose mistakes, or innocence, are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.classroom.animals import (
    chunk_coupling,
    contract,
    elementwise,
    freia,
    innocents,
    kinks,
    manners,
    proof,
    scaling,
    singular,
    unusual,
    vectors,
)
from ldjcheck.classroom.animals.images import (
    actnorm,
    convolution,
    coupling,
    dequantization,
)
from ldjcheck.mistakes import RULES

if TYPE_CHECKING:
    from ldjcheck.classroom.animal import Animal

FAMILIES: tuple[tuple[Animal, ...], ...] = (
    actnorm.ANIMALS,
    chunk_coupling.ANIMALS,
    contract.ANIMALS,
    convolution.ANIMALS,
    coupling.ANIMALS,
    dequantization.ANIMALS,
    elementwise.ANIMALS,
    freia.ANIMALS,
    innocents.ANIMALS,
    kinks.ANIMALS,
    manners.ANIMALS,
    proof.ANIMALS,
    scaling.ANIMALS,
    singular.ANIMALS,
    unusual.ANIMALS,
    vectors.ANIMALS,
)

ANIMALS: tuple[Animal, ...] = tuple(animal for kin in FAMILIES for animal in kin)


def wrong_ones() -> tuple[Animal, ...]:
    """Return the layers with a mistake that a rule is about, family by family."""
    known = {rule.code for rule in RULES}
    return tuple(animal for animal in ANIMALS if animal.code in known)


def right_ones() -> tuple[Animal, ...]:
    """Return the layers without one."""
    known = {rule.code for rule in RULES}
    return tuple(
        animal
        for animal in ANIMALS
        if animal.code is None and (animal.near is None or animal.near in known)
    )


def animal_called(name: str) -> Animal:
    """Return the wrong layer of this name, or else the right one."""
    found = [animal for animal in ANIMALS if animal.name == name]
    return max(found, key=lambda animal: animal.code is not None)
