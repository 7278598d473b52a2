"""A direction's check as the report lists it, drawn from what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.records import Check, CheckStatus, Dimension, DirectionMeasured, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator


def ldj_check(
    side: DirectionMeasured, status: CheckStatus, worst: float | None
) -> Check:
    """Return the numbers of one configuration, samples and dims, under a status."""
    return Check(
        name="ldj",
        direction=side.direction,
        status=status,
        wrt=side.wrt,
        shape=tuple(side.x.shape[1:]),
        dims=side.x[0].numel(),
        dtype=side.dtype,
        tolerance=None if side.allowed is None else float(side.allowed.max()),
        worst=worst,
        method=side.method,
        samples=tuple(_samples(side)),
        dimensions=tuple(_dimensions(side)),
        structure=side.structure,
    )


def _samples(side: DirectionMeasured) -> Iterator[Sample]:
    if side.exact is None or side.allowed is None:
        return
    for index, exact in enumerate(side.exact.tolist()):
        reported = None if side.reported is None else float(side.reported[index])
        yield Sample(
            index=index,
            reported=reported,
            exact=exact,
            difference=None if reported is None else reported - exact,
            allowed=float(side.allowed[index]),
        )


def _dimensions(side: DirectionMeasured) -> Iterator[Dimension]:
    if side.shares is None:
        return
    own = side.reported_shares
    for index, exact in enumerate(side.shares[0].tolist()):
        reported = None if own is None else float(own[0, index])
        yield Dimension(index=index, exact=exact, reported=reported)
