"""What is left of the map where a mask leaves out the end of a sample.

Sequences of several lengths are padded, and what is padded is set to zero on the way out,
or left as it is. Either way the exact ldj is that of the entries that the mask keeps, and
counts none of the others.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.numerics.closeness import ROUNDING, same
from ldjcheck.numerics.tolerance import hides_mistakes
from ldjcheck.oracle.derivatives.autograd import FrozenMap
from ldjcheck.oracle.derivatives.jacobian import NoJacobianError, log_abs_det
from ldjcheck.records import Probe
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Padded:
    """Reported and exact ldj of padded samples, in nats, all of them wrong."""

    numbers: tuple[tuple[float, float], ...]
    counted: bool  # what is reported is what it is without padding
    left: bool  # what the mask leaves out comes out as it went in, not as zero
    of_base: bool  # it is the density of z that counts what is left out

    @property
    def finite(self) -> bool:
        """Return whether what is reported are numbers."""
        return all(math.isfinite(reported) for reported, _ in self.numbers)


def measure_padding(bench: Bench, probes: tuple[Probe, ...]) -> Padded | None:
    """Return what is reported of padded samples, where that is wrong, and only there.

    None where what the mask leaves out goes through the map: then it may be no padding. A
    coupling's mask, which takes zeros and ones by turns, is none.
    """
    masks = [each.name for each in bench.options.context if "mask" in each.name]
    if bench.calls.forward is None or len(masks) != 1 or bench.masks == "mixed":
        return None
    found: list[tuple[float, float]] = []
    counted, left, of_base = True, False, False
    for probe in probes:
        told = _measure_padded(bench, probe, masks[0])
        if told is None:
            return None
        reported, exact, whole, padded, stays, based = told
        left, of_base = left | stays, of_base | based
        least = 10.0 * hides_mistakes(exact.numel())
        off = ~((reported - exact).abs() <= least)  # what is no number is off
        if not bool(padded.any()) or not torch.equal(off, padded):
            return None
        counted &= same(reported, whole)
        pairs = zip(reported[padded].tolist(), exact[padded].tolist(), strict=True)
        found += pairs
    return Padded(numbers=tuple(found), counted=counted, left=left, of_base=of_base)


@on_failure(None, NoJacobianError)
def _measure_padded(
    bench: Bench, probe: Probe, mask: str
) -> tuple[Tensor, Tensor, Tensor, Tensor, bool, bool] | None:
    """Return reported, exact, reported without padding, and where it is, `(batch,)`.

    Behind them stands whether what is left out comes out as it went in, and whether the
    density of z counts it.
    """
    runner, x, _ = replace(bench, masks="padded").ready(probe)
    kept = _spread(runner.kwargs[mask] != 0, x)
    if kept is None:
        return None
    x = x * kept
    outcome = runner.run("forward", x, Frozen())
    unpadded, _, _ = bench.ready(probe)
    whole = unpadded.run("forward", x, Frozen()).reported
    map_ = FrozenMap(runner=runner, direction="forward", x=x, frozen=Frozen())
    jacobian = map_.jacobian(map_.origin)[0].double()
    reported, kept = outcome.reported, kept.flatten(1)
    if outcome.y.shape != x.shape or outcome.draws or reported is None or whole is None:
        return None
    exact = []
    stays = False
    for matrix, keep in zip(jacobian, kept, strict=True):
        lost = matrix[~keep]
        still = torch.eye(len(matrix), dtype=matrix.dtype)[~keep]
        least = ROUNDING * matrix.abs().amax()
        same_as_before = bool(((lost - still).abs() <= least).all())
        if not bool(keep.any()) or not (
            same_as_before or bool((lost.abs() <= least).all())
        ):
            return None
        stays |= same_as_before and not bool(keep.all())
        exact.append(log_abs_det(matrix[keep][:, keep][None])[1][0])
    for base in outcome.bases:  # of what is left out as well
        reported = whole = reported if base.log is None else reported + base.log
    numbers = reported.detach().double(), torch.stack(exact), whole.detach().double()
    return *numbers, ~kept.all(dim=1), stays, bool(outcome.bases)


def _spread(mask: Tensor, x: Tensor) -> Tensor | None:
    """Return the mask for each entry of x: of places, channels before or behind them."""
    batch, *places = mask.shape
    short = (1,) * (x.dim() - mask.dim())
    for shape in (mask.shape, (batch, *places, *short), (batch, *short, *places)):
        try:
            return mask.reshape(shape).expand_as(x)
        except RuntimeError:
            continue
    return None  # it is no mask of the event's entries
