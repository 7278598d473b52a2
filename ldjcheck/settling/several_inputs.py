"""Layers that take several tensors as their input: `f(x1, x2) -> y1, y2, ldj`.

The input of such a layer is one flat vector, which is cut into the tensors.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.settling.guesses.shapes import ShapeGuess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.records import Calls, Shape

    Parts = tuple[tuple[str | None, Shape], ...]

_SIZES = 12  # that are tried for inputs of which nobody has said anything


def of_several(
    candidates: tuple[Calls, ...], parts: Parts
) -> tuple[tuple[Calls, ...], ShapeGuess]:
    """Return how the layer may take such tensors, and the shape of all in one.

    They are given by their names, then in a tuple.
    """
    unnamed = tuple((None, shape) for _, shape in parts)
    ways = (parts, unnamed) if len(parts) > 1 else (parts,)
    calls = tuple(replace(each, parts=way) for each in candidates for way in ways)
    return calls, _whole(parts, "all inputs, flat")


def guessed_parts(
    candidates: tuple[Calls, ...], guesses: tuple[ShapeGuess, ...]
) -> Iterator[tuple[tuple[Calls, ...], ShapeGuess]]:
    """Yield how a layer that has several inputs both ways may take them, all of one size."""
    for calls in candidates:
        if not calls.inputs:
            continue
        for guess in guesses[:_SIZES]:
            parts = tuple((name, guess.shape) for name in calls.inputs)
            why = f"{' and '.join(calls.inputs)}, flat; of each, {guess.shape}: {guess.why}"
            yield (replace(calls, parts=parts),), _whole(parts, why)


def _whole(parts: Parts, why: str) -> ShapeGuess:
    size = sum(math.prod(shape) for _, shape in parts)
    return ShapeGuess(shape=(size,), why=why, free=frozenset())
