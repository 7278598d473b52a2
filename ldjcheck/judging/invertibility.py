"""Whether the map can be undone at all, and what is compared where dims are lost or gained.

A determinant that has both signs under the same parameters passes through zero between:
the map folds there, and two points have one image. One that is zero everywhere loses dims.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ldjcheck.judging.checks import ldj_check
from ldjcheck.numerics.numerical_rank import (
    has_both_signs,
    kept_values,
    log_scales,
    singular_values,
)
from ldjcheck.numerics.tolerance import lost_below, remains, says_nothing
from ldjcheck.records import Probe, Side, Verdict
from ldjcheck.records.words import CheckStatus

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

    Where contexts are `fed`, only samples of one context are of one map. Each copy of a
    layer may make its weights anew, so that samples are compared within one. A layer that
    `learns` may be invertible for some parameters: then half of all draws must show it.
    Inputs far out, where many maps are straight, are as good as those near.
    """
    by_map: dict[_Map, list[Tensor]] = {}
    for index, (probe, side) in enumerate(sides):
        if fed and not probe.same_context:
            continue
        jacobians = side.finite_jacobians
        if jacobians is not None and side.exact.is_square and side.exact.anchored:
            drawn = probe.draw, probe.scale, probe.turned, probe.reflected
            at = (*(drawn if learns else (index,)), side.x.shape[1:])
            by_map.setdefault(at, []).extend(jacobians)
    split = sum(map(has_both_signs, by_map.values()))
    if learns:
        alone = len(by_map) == 1  # parameters that stay as they are
        return split >= (1 if alone else _ENOUGH) and 2 * split >= len(by_map)
    return split > 0


# --- where dims are lost or gained ----------------------------------------------------

_CLEAR = 0.05  # nats: an integral off by less may be one that is hard to take
_TIMES = (2.0, -1.0, 0.5, -2.0, -0.5)  # the volume factor: squared, its sign turned
_SAME = 1e-6  # relative


def resized_verdict(sides: Sequence[Side], faults: tuple[str, ...]) -> Verdict:
    """Return how a direction without a square Jacobian came out."""
    first = sides[0]
    assert first.exact.jacobian is not None
    if first.direction == "inverse" and _reports_nothing(sides):
        return Verdict(
            direction=first.direction,
            check=ldj_check(first, "not-available", None),
            resized=(first.exact.jacobian.shape[2], first.exact.jacobian.shape[1]),
            untracked=True,
            faults=faults,
        )
    # Of many dims that are dropped nothing is known, and smaller images may tell.
    known = next(
        (s for s in sides if s.exact.ldj is not None and s.exact.instead), first
    )
    told = [
        s
        for s in sides
        if s.exact.instead == known.exact.instead and s.exact.ldj is not None
    ]
    off = max([_off(side) for side in told], default=0.0)
    agrees = bool(told) and all(side.exact.is_finite and side.agrees for side in told)
    apart = off > _CLEAR and not agrees
    wrong = known.exact.instead == "split" and bool(told) and apart
    wrong |= known.exact.instead == "volume" and _is_a_multiple(told)
    status: CheckStatus = "pass" if agrees else "fail" if wrong else "unproven"
    if known.exact.instead == "volume" and status == "unproven":
        told = []  # another number may be meant
    shown = (
        first.exact.jacobian if known.exact.jacobian is None else known.exact.jacobian
    )
    return Verdict(
        direction=first.direction,
        check=ldj_check(known, status, off if told else None),
        resized=(shown.shape[2], shown.shape[1]),
        instead=known.exact.instead if told else None,
        ldj_at=first.said.made_at,
        faults=faults,
    )


def _is_a_multiple(sides: Sequence[Side]) -> bool:
    """Return whether the ldj is a plain multiple of what is exact, which varies, in all."""
    pairs = [(s.said.ldj, s.exact.ldj) for s in sides if s.said.ldj is not None]
    if not pairs:
        return False
    said, exact = (torch.cat(each).double() for each in zip(*pairs, strict=True))
    varies = exact.max() - exact.min() > _CLEAR
    return bool(varies) and any(
        torch.allclose(said, times * exact, rtol=_SAME, atol=_SAME) for times in _TIMES
    )


def _reports_nothing(sides: Sequence[Side]) -> bool:
    """Return whether a way back reports none, or no more than what was passed in.

    While what it makes up has a density that the way there tells.
    """
    told = [side for side in sides if side.said.ldj is not None]
    if not told:
        return sides[0].said.form is None
    zero = all(
        says_nothing(side.said.ldj, side.dims, side.said.dtype)
        for side in told
        if side.said.ldj is not None
    )
    return zero and any(
        side.exact.ldj is not None
        and bool(side.exact.ldj.isfinite().any() and side.exact.ldj.any())
        for side in sides
    )


def _off(side: Side) -> float:
    if side.said.ldj is None:
        return 0.0
    reported, exact = side.numbers
    return float((reported - exact).abs().nan_to_num(float("inf")).max())
