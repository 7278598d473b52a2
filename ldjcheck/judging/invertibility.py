"""Whether the map can be undone at all: its Jacobian regular, its determinant of one sign.

A determinant that has both signs under the same parameters passes through zero between:
the map folds there, and two points have one image. One that is zero everywhere loses dims.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ldjcheck.numerics.numerical_rank import (
    has_both_signs,
    kept_values,
    log_scales,
    singular_values,
)
from ldjcheck.numerics.tolerance import lost_below, remains
from ldjcheck.records import Probe, Side

_Map = tuple[object, ...]

_SATURATED = -30.0  # nats: a tenth of what one unit in the last place is worth
_ENOUGH = 2  # configurations, of different parameters or inputs


def is_singular_everywhere(sides: Sequence[tuple[Probe, Side]]) -> bool:
    """Return whether the Jacobian is singular on every sample of every configuration.

    A map that saturates is singular on some: far out, or where a parameter is large.
    """
    known = [side for _, side in sides if side.exact.is_square]
    if any(_says_saturated(side) for side in known):
        return False
    return len(known) >= _ENOUGH and all(_is_singular(side) for side in known)


def _says_saturated(side: Side) -> bool:
    """Return whether the layer itself reports a volume too small to differentiate.

    Not so where the number may be what rounding has left of a determinant that is zero.
    """
    said, jacobian = side.said.ldj, side.exact.jacobian
    if said is None or jacobian is None or not _is_singular(side):
        return False
    small = said.isfinite() & (said < _SATURATED)
    return any(
        float(each) < _left_of_zero(matrix, side.said.dtype)
        for each, matrix in zip(said[small], jacobian[small], strict=True)
    )


def _left_of_zero(matrix: Tensor, dtype: str) -> float:
    """Return the least that rounding leaves of log|det| of a matrix that loses rank.

    It leaves nothing at all of one with a row or column of zeros.
    """
    values = singular_values(matrix)
    none = matrix == 0
    if values is None or bool(none.all(0).any() or none.all(1).any()):
        return math.inf
    kept = kept_values(values, lost_below(len(matrix), dtype))
    count = len(values) - len(kept)
    return remains(float(kept.log().sum()) + log_scales(matrix), count, dtype)


def _is_singular(side: Side) -> bool:
    """Return whether no sample has a regular Jacobian."""
    return side.exact.lost is not None and bool(side.exact.lost.all())


def changes_orientation(
    sides: Sequence[tuple[Probe, Side]], *, learns: bool, fed: bool = False
) -> bool:
    """Return whether the sign of det J differs although the parameters are the same.

    Where contexts are `fed`, only samples of one context are of one map. A layer that
    `learns` may be invertible for some parameters: then half of all draws must show it.
    Inputs far out, where many maps are straight, are as good as those near.
    """
    by_map: dict[_Map, list[Tensor]] = {}
    for probe, side in sides:
        if fed and not probe.same_context:
            continue
        if side.exact.is_square and side.exact.anchored:
            drawn = probe.draw, probe.scale, probe.turned, probe.reflected
            at = (*(drawn if learns else ()), side.x.shape[1:])
            assert side.finite_jacobians is not None
            by_map.setdefault(at, []).extend(side.finite_jacobians)
    split = sum(map(has_both_signs, by_map.values()))
    if learns:
        alone = len(by_map) == 1  # parameters that stay as they are
        return split >= (1 if alone else _ENOUGH) and 2 * split >= len(by_map)
    return split > 0
