"""Maps into more or fewer dims: their volume factor, log det(J^T J) / 2."""

import math
from dataclasses import replace

import torch

from ldjcheck.numerics.tolerance import lost_below
from ldjcheck.oracle.question import Question
from ldjcheck.records import Side

_ROUNDING = 1e-9


def known(asked: Question) -> Side | None:
    """Return log det(J^T J) / 2, or with J J^T where dims are lost."""
    exact, jacobian = asked.side.exact, asked.side.exact.jacobian
    if jacobian is None or not exact.is_resizing or asked.side.said.ldj is None:
        return None
    if not bool(torch.isfinite(jacobian).all()):
        return None
    if jacobian.shape[1] < jacobian.shape[2]:
        jacobian = jacobian.mT
    sizes = torch.linalg.svdvals(jacobian)
    least = lost_below(jacobian.shape[2], asked.side.said.dtype)
    lost = sizes[:, -1] <= least * sizes[:, 0]
    ldj = sizes.log().sum(1).masked_fill(lost, -math.inf)
    allowed = _ROUNDING * (1.0 + ldj.abs() + jacobian.shape[2])
    return replace(
        asked.side, exact=replace(exact, ldj=ldj, allowed=allowed, instead="volume")
    )
