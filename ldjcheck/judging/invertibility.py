"""Whether the map can be undone at all: its Jacobian regular, its determinant of one sign.

A determinant that has both signs under the same parameters passes through zero between:
the map folds there, and two points have one image. One that is zero everywhere loses dims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ldjcheck.oracle.jacobian import signs_of
from ldjcheck.oracle.singular_values import condition, singular_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from ldjcheck.records import Probe, Side

    _Map = tuple[object, ...]

_SINGULAR = 1e13  # condition, once rows and columns are scaled to one
_DOUBTFUL = 1e8  # from here on rounding may decide the sign
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
    """Return whether the layer itself reports a volume too small to differentiate."""
    if (
        side.said.ldj is None
        or side.exact.ldj is None
        or side.exact.ldj.isfinite().any()
    ):
        return False
    return bool((side.said.ldj.isfinite() & (side.said.ldj < _SATURATED)).any())


def _is_singular(side: Side) -> bool:
    """Return whether no sample has a regular Jacobian.

    A triangular one with no zero among its pivots is regular, however small they are.
    """
    assert side.exact.jacobian is not None
    if (
        side.exact.structure in ("diagonal", "triangular")
        and side.exact.ldj is not None
    ):
        return not bool(torch.isfinite(side.exact.ldj).any())
    return all(_loses(matrix) for matrix in side.exact.jacobian)


def changes_orientation(sides: Sequence[tuple[Probe, Side]], *, learns: bool) -> bool:
    """Return whether the sign of det J differs although the parameters are the same.

    A layer that `learns` may be invertible for some parameters: then half of all draws must
    show it. Inputs far out, where many maps are straight, are as good as those near.
    """
    by_map: dict[_Map, set[float]] = {}
    for probe, side in sides:
        if side.exact.is_square and side.exact.anchored:
            drawn = probe.draw, probe.scale, probe.turned, probe.reflected
            at = (*(drawn if learns else ()), side.x.shape[1:])
            by_map.setdefault(at, set()).update(_signs(side))
    split = sum(len(signs) > 1 for signs in by_map.values())
    if learns:
        alone = len(by_map) == 1  # parameters that stay as they are
        return split >= (1 if alone else _ENOUGH) and 2 * split >= len(by_map)
    return split > 0


def _signs(side: Side) -> set[float]:
    assert side.exact.jacobian is not None
    return signs_of(m for m in side.exact.jacobian if condition(m) < _DOUBTFUL)


def _loses(matrix: Tensor) -> bool:
    """Return whether some directions come out as nothing, and all others clearly do not.

    Where singular values fall off step by step, the last of them may be lost in rounding
    while the matrix is regular, as a Hilbert matrix is.
    """
    values = singular_values(matrix)
    if values is None:
        return False
    lost = values * _SINGULAR < values[0]
    kept = values[~lost]
    if not len(kept):
        return True
    return bool(lost.any()) and bool(kept[-1] * _DOUBTFUL > values[0])
