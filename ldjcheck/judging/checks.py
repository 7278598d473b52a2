"""A direction's check as the report lists it, drawn from what was measured."""

from __future__ import annotations

from collections.abc import Iterator

from ldjcheck.records import Check, Sample, Side
from ldjcheck.records.result import Dimension
from ldjcheck.records.words import CheckStatus


def ldj_check(side: Side, status: CheckStatus, worst: float | None) -> Check:
    """Return the numbers of one configuration, samples and dims, under a status."""
    return Check(
        name="ldj",
        direction=side.direction,
        status=status,
        wrt=side.exact.wrt,
        shape=side.shape,
        dims=side.dims,
        dtype=side.said.dtype,
        tolerance=None
        if side.exact.allowed is None
        else float(side.exact.allowed.max()),
        worst=worst,
        method=side.exact.method,
        samples=tuple(_samples(side)),
        dimensions=tuple(_dimensions(side)),
        structure=side.exact.structure,
        products=side.exact.products,
    )


def _samples(side: Side) -> Iterator[Sample]:
    if side.exact.ldj is None or side.exact.allowed is None:
        return
    for index, exact in enumerate(side.exact.ldj.tolist()):
        reported = None if side.said.ldj is None else float(side.said.ldj[index])
        yield Sample(
            index=index,
            reported=reported,
            exact=exact,
            difference=None if reported is None else reported - exact,
            allowed=float(side.exact.allowed[index]),
        )


def _dimensions(side: Side) -> Iterator[Dimension]:
    if side.exact.shares is None:
        return
    own = side.said.shares
    for index, exact in enumerate(side.exact.shares[0].tolist()):
        reported = None if own is None else float(own[0, index])
        yield Dimension(index=index, exact=exact, reported=reported)
