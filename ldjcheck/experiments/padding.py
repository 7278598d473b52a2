"""What is left of the map where a mask leaves out the end of a sample.

Sequences of several lengths are padded, and what is padded is set to zero on the way out.
The exact ldj is that of the entries that the mask keeps, and counts none of the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.numerics.closeness import ROUNDING, same
from ldjcheck.numerics.tolerance import hides_mistakes
from ldjcheck.oracle.derivatives.flat_map import FrozenMap
from ldjcheck.oracle.derivatives.jacobian import NoJacobianError, log_abs_det
from ldjcheck.running.failed_calls import (
    FailedCallError,
)
from ldjcheck.running.guard import Frozen

if TYPE_CHECKING:
    from ldjcheck.records import Probe
    from ldjcheck.running.bench import Bench


@dataclass(frozen=True, slots=True, kw_only=True)
class Padded:
    """Reported and exact ldj of padded samples, in nats, all of them wrong."""

    numbers: tuple[tuple[float, float], ...]
    counted: bool  # what is reported is what it is without padding


def padding_told(bench: Bench, probes: tuple[Probe, ...]) -> Padded | None:
    """Return what is reported of padded samples, where that is wrong, and only there.

    None where what the mask leaves out goes through the map: then it may be no padding.
    """
    masks = [each.name for each in bench.options.context if "mask" in each.name]
    if bench.calls.forward is None or len(masks) != 1:
        return None
    found: list[tuple[float, float]] = []
    counted = True
    for probe in probes:
        told = _told(bench, probe, masks[0])
        if told is None:
            return None
        reported, exact, whole, padded = told
        least = 10.0 * hides_mistakes(exact.numel())
        off = (reported - exact).abs() > least
        if not bool(padded.any()) or not torch.equal(off, padded):
            return None
        counted &= same(reported, whole)
        pairs = zip(reported[padded].tolist(), exact[padded].tolist(), strict=True)
        found += pairs
    return Padded(numbers=tuple(found), counted=counted)


def _told(
    bench: Bench, probe: Probe, mask: str
) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    """Return reported, exact, reported without padding, and where it is, `(batch,)`."""
    shop = replace(bench, padded=True)
    runner, x, _ = shop.ready(probe)
    try:
        kept = runner.kwargs[mask].expand_as(x) != 0
    except RuntimeError:  # it is no mask of the event's entries
        return None
    x = x * kept
    try:
        outcome = runner.run("forward", x, Frozen())
        unpadded, _, _ = bench.ready(probe)
        whole = unpadded.run("forward", x, Frozen()).reported
        map_ = FrozenMap(runner=runner, direction="forward", x=x, frozen=Frozen())
        jacobian = map_.jacobian(map_.origin)[0].double()
    except (FailedCallError, NoJacobianError):
        return None
    reported, kept = outcome.reported, kept.flatten(1)
    if outcome.y.shape != x.shape or outcome.draws or reported is None or whole is None:
        return None
    exact = []
    for matrix, keep in zip(jacobian, kept, strict=True):
        if not bool(keep.any()) or bool(
            (matrix[~keep].abs() > ROUNDING * matrix.abs().amax()).any()
        ):
            return None
        exact.append(log_abs_det(matrix[keep][:, keep][None])[1][0])
    padded = ~kept.all(dim=1)
    return (
        reported.detach().double(),
        torch.stack(exact),
        whole.detach().double(),
        padded,
    )
