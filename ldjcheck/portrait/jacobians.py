"""The Jacobians behind a check's numbers, small enough to be kept and drawn."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ldjcheck.records import Check, Comparison, Measurement, Probe, Side
from ldjcheck.records.portrait import JacobianMatrix

_SAMPLES = 3
_SIDE = 64  # rows and columns that a picture can show


def jacobians_of(comparison: Comparison) -> tuple[JacobianMatrix, ...]:
    """Return J of the first samples of both directions, at the numbers that are shown."""
    return tuple(
        matrix
        for verdict in comparison.verdicts
        if (shown := shown_side(verdict.check, comparison.measurement)) is not None
        for matrix in _matrices(shown[1])
    )


def shown_side(check: Check, measurement: Measurement) -> tuple[Probe, Side] | None:
    """Return the configuration whose numbers a check shows, and what was measured there."""
    shown = [sample.exact for sample in check.samples]
    for each in measurement.measured:
        side = each.forward if check.direction == "forward" else each.inverse
        if not side.answered:
            continue
        exact = [] if side.exact.ldj is None else side.exact.ldj.tolist()
        if tuple(side.x.shape[1:]) == check.shape and repr(exact) == repr(shown):
            return each.probe, side
    return None


def _matrices(side: Side) -> Iterator[JacobianMatrix]:
    if side.exact.jacobian is None or not bool(
        torch.isfinite(side.exact.jacobian).all()
    ):
        return
    for sample, matrix in enumerate(side.exact.jacobian[:_SAMPLES]):
        dims_out, dims_in = matrix.shape
        block = -(-max(dims_out, dims_in) // _SIDE)
        shares = (
            ()
            if side.exact.shares is None
            else tuple(side.exact.shares[sample].tolist())
        )
        yield JacobianMatrix(
            direction=side.direction,
            sample=sample,
            dims_out=dims_out,
            dims_in=dims_in,
            rows=tuple(map(tuple, pooled(matrix, block).tolist())),
            block=block,
            shares=shares,
        )


def pooled(matrix: Tensor, block: int) -> Tensor:
    """Return of each block of `block` by `block` entries the one that is largest in size.

    Blocks at the lower and right edge are smaller where the sides are no multiples.
    """
    if block == 1:
        return matrix
    down, across = (-size % block for size in matrix.shape)
    wide = torch.nn.functional.pad(matrix, (0, across, 0, down))
    rows, columns = wide.shape[0] // block, wide.shape[1] // block
    blocks = wide.reshape(rows, block, columns, block).transpose(1, 2)
    flat = blocks.reshape(rows, columns, block * block)
    return flat.gather(2, flat.abs().argmax(2, keepdim=True))[..., 0]
