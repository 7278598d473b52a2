"""Maps onto a simplex, correlations or matrices of a kind, in a chart of these.

Such a point has more entries than dims: the last entry of a simplex is what the others
leave, and a row of a factor of correlations has length one. Left out of the Jacobian, they
leave a square one. So torch has it: the last entry, and all but the triangle below the
diagonal. Of other matrices, triangular or symmetric, what is constant is left out, and what
is an earlier entry, or minus that, at all samples.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.jacobian import log_abs_det, random_direction
from ldjcheck.oracle.direction import judged_by
from ldjcheck.oracle.question import Question
from ldjcheck.records import Side

_EXACT = 1e-9  # of sums and lengths that are one
_ROUNDING = 1e-9


def known(asked: Question) -> Side | None:
    """Return log|det J| in the chart; of a way back, minus that of the way there."""
    side, exact = asked.side, asked.side.exact
    if exact.jacobian is None or not exact.is_resizing or side.said.ldj is None:
        return None
    if asked.is_back:
        there = asked.other.exact
        if there.instead != "chart" or side.round_trip.misses:
            return None
        found = judged_by(side, there, there.allowed)
        return replace(side, exact=replace(found, instead="chart", anchored=True))
    kept = _chart(side.y.double())
    if kept is None:
        kept = _entries_of_their_own(exact.jacobian)
    if int(kept.sum()) != exact.jacobian.shape[2]:
        return None
    square = exact.jacobian[:, kept]
    if not bool(torch.isfinite(square).all()):
        return None
    ldj = log_abs_det(square)[1]
    allowed = _ROUNDING * (1.0 + ldj.abs() + square.shape[2])
    volume = torch.linalg.svdvals(exact.jacobian).log().sum(1)
    said = side.said.ldj
    if _is_within(said - volume, allowed) and not _is_within(said - ldj, allowed):
        return None  # the volume factor is what is reported
    return replace(
        side,
        exact=replace(
            exact, ldj=ldj, allowed=allowed, jacobian=square, instead="chart"
        ),
    )


def _chart(y: Tensor) -> Tensor | None:
    """Return which entries of a point are its coordinates, `(dims_out,)`, or None."""
    event = y.shape[1:]
    if not event or not bool(torch.isfinite(y).all()):
        return None
    if bool((y > -_EXACT).all()) and _is_one(y.sum(-1)):
        kept = torch.ones(event, dtype=torch.bool)
        kept[..., -1] = False
        return kept.flatten()
    if len(event) < 2 or event[-1] != event[-2]:
        return None
    if bool(y.triu(1).any()) or not _is_one(y.norm(dim=-1)):
        return None
    return torch.ones(event, dtype=torch.bool).tril(-1).flatten()


def _entries_of_their_own(jacobian: Tensor) -> Tensor:
    """Return which entries are neither constant nor plus or minus an earlier one.

    Rows of all samples that are alike have one product with a random vector, up to sign.
    """
    rows = jacobian.transpose(0, 1).flatten(1)
    v = random_direction(rows.shape[1:], torch.Generator().manual_seed(0)).to(rows)
    sizes, products = rows.norm(dim=1), (rows @ v).abs()
    apart = (products[:, None] - products).abs()
    repeated = (apart <= _EXACT * sizes[:, None]).tril(-1).any(1)
    kept: Tensor = (sizes > 0.0) & ~repeated
    return kept


def _is_one(values: Tensor) -> bool:
    return bool(((values - 1.0).abs() <= _EXACT).all())


def _is_within(off: Tensor, allowed: Tensor) -> bool:
    return bool((off.abs() <= allowed).all())
