"""What is kept of a check for pictures of it: Jacobians, the image of a grid, the source.

A grid costs calls of the layer, three for a direction at the most, and only maps of two
dims have one. Everything else was measured already.
"""

from __future__ import annotations

from dataclasses import replace

from ldjcheck.portrait.excerpts import excerpts_of
from ldjcheck.portrait.jacobians import jacobians_of, shown_side
from ldjcheck.records import Comparison, Result
from ldjcheck.records.portrait import GridImage, Portrait
from ldjcheck.running.bench import Bench

__all__ = ["with_portrait"]


def with_portrait(result: Result, bench: Bench, comparison: Comparison) -> Result:
    """Return the result with what pictures of it are drawn from, where any are wanted.

    What cannot be had is left out.
    """
    if not comparison.measurement.options.pictures:
        return result
    portrait = Portrait(
        jacobians=jacobians_of(comparison),
        grids=_grids(bench, comparison),
        excerpts=excerpts_of(result),
    )
    return replace(result, portrait=portrait)


def _grids(bench: Bench, comparison: Comparison) -> tuple[GridImage, ...]:
    from ldjcheck.portrait.grids import PLANE, grid_image

    found = []
    for verdict in comparison.verdicts:
        shown = shown_side(verdict.check, comparison.measurement)
        if (
            shown is None
            or shown[1].x[0].numel() != PLANE
            or verdict.behaviour.coupling
        ):
            continue
        image = grid_image(bench, *shown)
        found += [] if image is None else [image]
    return tuple(found)
