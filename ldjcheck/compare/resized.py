"""Maps that change the number of dims: what is compared in place of a determinant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.compare.checks import ldj_check
from ldjcheck.records import Verdict
from ldjcheck.tolerance import says_nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ldjcheck.records import CheckStatus, DirectionMeasured

_CLEAR = 0.05  # nats: an integral off by less may be one that is hard to take


def resized_verdict(
    sides: Sequence[DirectionMeasured], faults: tuple[str, ...]
) -> Verdict:
    """Return how a direction without a square Jacobian came out."""
    first = sides[0]
    assert first.jacobian is not None
    if first.direction == "inverse" and _reports_nothing(sides):
        return Verdict(
            direction=first.direction,
            check=ldj_check(first, "not-available", None),
            resized=(first.jacobian.shape[2], first.jacobian.shape[1]),
            untracked=True,
            faults=faults,
        )
    # Of many dims that are dropped nothing is known, and smaller images may tell.
    known = next((s for s in sides if s.exact is not None and s.instead), first)
    told = [s for s in sides if s.instead == known.instead and s.exact is not None]
    off = max([_off(side) for side in told], default=0.0)
    agrees = bool(told) and all(_agrees(side) for side in told)
    apart = off > _CLEAR and not agrees
    wrong = known.instead == "split" and bool(told) and apart
    status: CheckStatus = "pass" if agrees else "fail" if wrong else "unproven"
    if known.instead == "volume" and not agrees:
        told = []  # another number may be meant
    shown = first.jacobian if known.jacobian is None else known.jacobian
    return Verdict(
        direction=first.direction,
        check=ldj_check(known, status, off if told else None),
        resized=(shown.shape[2], shown.shape[1]),
        instead=known.instead if told else None,
        ldj_at=first.ldj_at,
        faults=faults,
    )


def _reports_nothing(sides: Sequence[DirectionMeasured]) -> bool:
    """Return whether a way back reports none, or no more than what was passed in.

    While what it makes up has a density that the way there tells.
    """
    told = [side for side in sides if side.reported is not None]
    if not told:
        return sides[0].form is None
    zero = all(
        says_nothing(side.reported, side.x[0].numel(), side.dtype)
        for side in told
        if side.reported is not None
    )
    return zero and any(
        side.exact is not None
        and bool(side.exact.isfinite().any() and side.exact.any())
        for side in sides
    )


def _off(side: DirectionMeasured) -> float:
    assert side.exact is not None
    if side.reported is None:
        return 0.0
    off = (side.reported - side.exact).abs()
    return float(off.nan_to_num(float("inf")).max())


def _agrees(side: DirectionMeasured) -> bool:
    if side.reported is None or side.exact is None or side.allowed is None:
        return False
    return bool(((side.reported - side.exact).abs() <= side.allowed).all())
