"""Maps that change the number of dims: what is compared in place of a determinant."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ldjcheck.judging.checks import ldj_check
from ldjcheck.numerics.tolerance import says_nothing
from ldjcheck.records import Side, Verdict
from ldjcheck.records.words import CheckStatus

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
    assert side.exact.ldj is not None
    if side.said.ldj is None:
        return 0.0
    off = (side.said.ldj - side.exact.ldj).abs()
    return float(off.nan_to_num(float("inf")).max())
