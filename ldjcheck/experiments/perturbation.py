"""How far a layer's parameters can be moved and its ldj still be proved.

A deep flow that starts at the identity bears less than a layer alone: moved too far its
scales saturate or overflow, and rounding hides every mistake, or the layer refuses. Such
numbers say nothing of the layer, so it is looked at again nearer to how it was built.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import VISIBLE, hides_mistakes
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.oracle.structured import LARGE
from ldjcheck.oracle.way_back.preimage import MANY, ROUNDED, only_solves
from ldjcheck.oracle.way_back.round_trip import anywhere, gap_between, tells
from ldjcheck.records import Direction, Probe, Side, Sides
from ldjcheck.records.asked import CONFIGURATIONS, TimeIsUpError, while_time_lasts
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner
from ldjcheck.running.snapshot.isolation import is_kept_in_place, learnable

_BROKEN = 1e-3  # a way back that misses by more after a move is broken, not imprecise
_ORTHOGONAL = 1e-4
_STAY = "orthogonal weights stay as built: moved, they no longer invert"
_AS_BUILT = "leads back while weights are orthogonal, as they are built, and not beyond"
_FREE = (
    "weights that start orthogonal are learned freely, and the map and its ldj are right "
    "only while they stay so: nothing that the layer holds sees to it"
)
_FACTORS = (1 / 3, 1 / 10, 1 / 30)  # of how far parameters were to be moved
_ROUNDING = "rounding hides the ldj"
_STEEP = "it is too steep for numbers"
_LOST = "rounding hides where the way back leads"
_STEP = 1e-5  # as differences are taken
_BENT = 1e-2  # of a slope: what kinks on the way may change
_FLAT = 1e-9  # a map that hardly moves bends by rounding alone
_COARSER = 1e3  # float32 lets more hide, and is told of by a note


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nearer:
    """How much nearer by a layer is looked at: as it was built, and at inputs near 0."""

    moved: float = 1.0  # times as far
    reach: float = 1.0

    def of(self, probe: Probe) -> Probe:
        """Return the configuration, nearer."""
        return replace(
            probe, scale=probe.scale * self.moved, reach=probe.reach * self.reach
        )

    def applies(self, bench: Bench, probe: Probe) -> bool:
        """Return whether that is another configuration: one of the layer's own domain."""
        if self.reach != 1.0:
            return bench.options.inputs is None and probe.domain.kind == "real"
        return bool(probe.draw)


_NEARER = (
    *(_Nearer(moved=factor) for factor in _FACTORS),
    *(_Nearer(reach=factor) for factor in _FACTORS[:2]),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Borne:
    """What was measured, and how far parameters were moved for it."""

    bench: Bench
    probes: tuple[Probe, ...]
    sides: tuple[Sides, ...]
    said: Mapping[str, str]


def smooth_scale(bench: Bench, probes: Sequence[Probe]) -> tuple[float, str] | None:
    """Return how far to move the parameters of a map of many dims, and why, by a few calls.

    To measure it costs hundreds of them. Moved too far, a deep flow is beyond all numbers,
    or so steep that no difference is a slope, or that rounding decides where its way back
    leads. None where it is neither, or is so however little is moved.
    """
    first, *_ = probes
    dims = prod(first.shape)
    if bench.options.states_tolerance or not first.draw or dims < MANY:
        return None
    smooth: float | None = None  # and the way back leads elsewhere
    for factor in (1.0, *_FACTORS):
        near = [replace(each, scale=each.scale * factor) for each in probes]
        if dims >= LARGE and not _is_smooth(bench, near[0]):
            continue
        scale = near[0].scale
        if all(_leads_back(bench, each) for each in near):
            why = _STEEP if smooth is None else _LOST
            return None if factor == 1.0 else (scale, why)
        smooth = smooth or scale
    return None if smooth in (None, first.scale) else (smooth, _STEEP)


@on_failure(True)
def _leads_back(bench: Bench, probe: Probe) -> bool:
    """Return whether a way back leads where it came from, as far as it can be asked."""
    calls, noise = bench.calls, Frozen()
    if calls.inverse is None or calls.departures:
        return True
    runner, x, _ = bench.ready(probe)
    y = runner.run("forward", x, noise).y.detach()
    back = runner.run("inverse", y, noise).y.detach()
    return back.shape != x.shape or gap_between(back, x) <= ROUNDED


def _is_smooth(bench: Bench, probe: Probe) -> bool:
    """Return whether a map is, where it is entered: by the way there, if there is one."""
    runner, x, _ = bench.ready(probe)
    return _is_smooth_at(runner, "forward" if bench.calls.forward else "inverse", x)


@on_failure(False)
def _is_smooth_at(runner: Runner, direction: Direction, x: Tensor) -> bool:
    """Return whether all numbers are finite, and two steps of one size lead equally far."""
    generator, noise = torch.Generator().manual_seed(runner.seed), Frozen()

    def at(step: float) -> Tensor:
        moved, draws = x, list(noise.draws)
        if x.is_floating_point():
            moved = x + step * v[0]
        else:  # whole numbers stay: the noise that is added to them moves
            draws = [
                d + step * e if d.is_floating_point() else d
                for d, e in zip(draws, v, strict=True)
            ]
        there = Frozen(draws, noise.offsets, noise.idle_clips)
        return runner.run(direction, moved, there).y.detach()

    said = runner.run(direction, x, noise)
    starts = [x] if x.is_floating_point() else noise.draws
    v = [_direction(each, generator) for each in starts]
    y, ahead, behind = said.y.detach(), at(_STEP), at(-_STEP)
    finite = said.reported is None or bool(said.reported.isfinite().any())
    if not finite or not bool(y.isfinite().all()):
        return False
    if not y.is_floating_point() or not y.dim():
        return True
    bent, far = (ahead + behind - 2 * y).flatten(1), (ahead - behind).flatten(1)
    return bool((bent.norm(dim=1) <= _BENT * far.norm(dim=1) + _FLAT).all())


def _direction(at: Tensor, generator: torch.Generator) -> Tensor:
    """Return a random direction in which a tensor is moved; whole numbers stay."""
    if not at.is_floating_point():
        return torch.zeros_like(at)
    drawn = torch.randn(at.shape, generator=generator, dtype=torch.float64)
    return drawn.to(at)


def as_far_as_borne(
    bench: Bench, probes: tuple[Probe, ...], first: Sides | None
) -> Borne:
    """Return the measurements, parameters moved as far as the layer can bear.

    `first` is what was measured at the first configuration, if it was; there are as many
    as time allows.

    Weights that are orthogonal as built, and are inverted by transposing them, are no
    longer a layer's own once they are moved freely: the way back shows it. They are then
    left where they are, while everything else is moved; the bench returned does so.
    An ldj that follows them wherever they go says that they are meant to be moved: then
    it is the way back that is wrong.
    """
    said: dict[str, str] = {}
    first = first or measure_sides(bench, probes[0])
    bench = bench.during(CONFIGURATIONS, wrong=is_wrong(first))
    if only_solves((first,)):
        bench = replace(bench, solves=True)
    with suppress(TimeIsUpError):
        closer = _nearer(bench, probes, first)
        if closer is not None:
            probes, first, nearer = closer
            said |= nearer
    measured = _at(bench, probes, first)
    measured = where_borne(bench, measured)
    borne = Borne(bench=bench, probes=probes, sides=measured, said=said)
    if not probes[0].draw or not _is_broken(measured[0]):
        return borne
    fixed = _orthogonal(bench.copy().layer)
    careful = replace(bench, fixed=fixed)
    again = _at(careful, probes) if fixed else ()
    if not again or _is_broken(again[0]):
        return borne
    if _follows(measured[0], again[0]):
        return replace(borne, said={**said, "round trip": _AS_BUILT})
    said["parameters"] = _STAY
    if not is_kept_in_place(bench.layer.obj, fixed):
        said["orthogonal"] = _FREE
    return Borne(bench=careful, probes=probes, sides=again, said=said)


def _nearer(
    bench: Bench, probes: tuple[Probe, ...], first: Sides
) -> tuple[tuple[Probe, ...], Sides, dict[str, str]] | None:
    """Return configurations that the layer bears, the first measured, and what to say.

    `first` is what was measured at the first configuration. None where that is to stay:
    one that nothing can be proved at, however little is moved, for then the layer is the
    reason; and one for which the user has said what to allow.
    """
    if bench.options.states_tolerance:
        return None
    told = is_telling(first)
    if told and not is_wrong(first) and _proves_back(first):
        return None
    if is_wrong(first):
        return _shown_plainly(bench, probes, first)
    there: tuple[_Nearer, Sides] | None = None  # of the map itself only
    both: tuple[_Nearer, Sides] | None = None
    for nearer, again in _brought_nearer(bench, probes[0]):
        if _proves(again):
            there = there or (nearer, again)
            if _proves_back(again):
                both = nearer, again
                break
    found = both or (None if told else there)
    if found is None:
        return None
    if told and _is_lost(first):
        return _scaled(probes, *found, _LOST)
    side = first.inverse if told else first.forward
    why = _ROUNDING if side.answered else f"it raises {side.said.why_absent}"
    return _scaled(probes, *found, why)


def _shown_plainly(
    bench: Bench, probes: tuple[Probe, ...], first: Sides
) -> tuple[tuple[Probe, ...], Sides, dict[str, str]] | None:
    """Return configurations where the mistake shows on samples that rounding leaves alone.

    It shows already; but of a map that saturates, numbers tell less of which mistake it is.
    """
    if _is_plain(first):
        return None
    for nearer, again in _brought_nearer(bench, probes[0]):
        if is_wrong(again) and _is_plain(again):
            return _scaled(probes, nearer, again, _ROUNDING)
    return None


def _is_plain(measured: Sides) -> bool:
    """Return whether rounding hides the ldj of no sample, in either direction."""
    return all(
        _share_shown(side) == 1.0
        for side in (measured.forward, measured.inverse)
        if side.said.ldj is not None
    )


def _scaled(
    probes: tuple[Probe, ...], nearer: _Nearer, first: Sides, why: str
) -> tuple[tuple[Probe, ...], Sides, dict[str, str]]:
    """Return the configurations nearer by, the first as measured, and what to say of it."""
    closer = tuple(map(nearer.of, probes))
    if nearer.reach != 1.0:
        drawn = f"inputs {nearer.reach:.1g} times as large: farther out, {why}"
        return closer, first, {"drawn": drawn}
    moved = f"moved by {closer[0].scale:.2g}: moved by {probes[0].scale:g}, {why}"
    return closer, first, {"parameters": moved}


def where_borne(bench: Bench, measured: tuple[Sides, ...]) -> tuple[Sides, ...]:
    """Return the measurements, those of a map that has saturated taken nearer by.

    The first is as the layer bears it. At another draw, or farther out, its scales may
    still be beyond all numbers, and that says nothing of the layer either.
    """
    if bench.options.states_tolerance or not is_telling(measured[0]):
        return measured
    borne = while_time_lasts(_borne(bench, each) for each in measured[1:])
    return (measured[0], *borne)


def _borne(bench: Bench, measured: Sides) -> Sides:
    known = not _has_saturated(measured) and not _is_too_steep(bench, measured)
    if known and not _is_undecided(measured):
        return measured
    nearby = (again for _, again in _brought_nearer(bench, measured.probe))
    plain = (n for n in nearby if is_telling(n) and not (known and _is_undecided(n)))
    return next(plain, measured)


def _brought_nearer(bench: Bench, probe: Probe) -> Iterator[tuple[_Nearer, Sides]]:
    for nearer in _NEARER:
        if nearer.applies(bench, probe):
            yield nearer, measure_sides(bench, nearer.of(probe))


def _has_saturated(measured: Sides) -> bool:
    """Return whether the map itself is flat, or beyond all numbers, on most samples."""
    side = measured.forward
    if side.exact.ldj is None:
        return False
    return not is_telling(measured) and not side.exact.is_finite


def _is_undecided(measured: Sides) -> bool:
    """Return whether numbers are too near to be called wrong, and too far to be right."""
    return any(
        not (side.agrees or side.disagrees)
        and side.exact.is_finite
        and float(difference.abs().max()) > VISIBLE
        for side in measured.both
        if (difference := side.difference) is not None
    )


def _is_too_steep(bench: Bench, measured: Sides) -> bool:
    """Return whether differences of a map of many dims confirm nothing, being no slopes."""
    unknown = [
        side
        for side in measured.answered
        if side.exact.ldj is not None and not side.exact.anchored and side.dims >= LARGE
    ]
    if not unknown:
        return False
    runner, _, _ = bench.ready(measured.probe)
    return not all(_is_smooth_at(runner, each.direction, each.x) for each in unknown)


def is_telling(measured: Sides) -> bool:
    """Return whether a mistake would show in what was measured, or one does."""
    return is_wrong(measured) or _proves(measured)


def is_wrong(measured: Sides) -> bool:
    """Return whether what was measured shows a mistake."""
    return any(
        side.exact.is_finite and side.disagrees
        for side in (measured.forward, measured.inverse)
    )


def _proves_back(measured: Sides) -> bool:
    """Return whether rounding leaves the way back no room, nor its ldj, if it reports one.

    One that raises may do so at images that lie where the map has come to its end; and
    nothing is proved of one that nothing exact was asked of there.
    """
    inverse = measured.inverse
    if inverse.said.raised or _is_lost(measured):
        return False
    if inverse.said.ldj is None:
        return True
    unasked = inverse.exact.ldj is None and measured.forward.exact.ldj is not None
    return not unasked and _leaves_no_room(inverse)


def _is_lost(measured: Sides) -> bool:
    """Return whether rounding alone may lead the way back to another point, and it does."""
    inverse, forward = measured.inverse, measured.forward
    off = inverse.round_trip.off
    if off is None or off <= anywhere(inverse, forward):
        return False
    return not tells(inverse, forward)


def _proves(measured: Sides) -> bool:
    """Return whether rounding leaves a mistake no room."""
    forward, inverse = measured.forward, measured.inverse
    if forward.answered:
        return _leaves_no_room(forward)
    if forward.said.raised:
        return False
    return not inverse.answered or _leaves_no_room(inverse)


def _leaves_no_room(side: Side) -> bool:
    """Return whether a mistake would show in half of the samples at least."""
    return 2 * _share_shown(side) >= 1.0


def _share_shown(side: Side) -> float:
    """Return the share of the samples in which a mistake would show."""
    seen = (each for each in (side.y, side.exact.jacobian) if each is not None)
    if not all(bool(torch.isfinite(each).all()) for each in seen):
        return 0.0
    if side.exact.ldj is None or side.exact.allowed is None or side.said.estimated:
        return 1.0  # what has no determinant has none nearer by either
    if not side.exact.anchored:
        return 0.0
    limit = hides_mistakes(side.dims)
    limit *= 1.0 if side.said.dtype == "float64" else _COARSER
    telling = torch.isfinite(side.exact.ldj) & (side.exact.allowed <= limit)
    return float(telling.double().mean())


def _at(
    bench: Bench, probes: tuple[Probe, ...], first: Sides | None = None
) -> tuple[Sides, ...]:
    """Return the measurements that time allows; the first, where it is known already."""
    known = () if first is None else (first,)
    rest = probes[len(known) :]
    return (*known, *while_time_lasts(measure_sides(bench, c) for c in rest))


def _is_broken(measured: Sides) -> bool:
    off = measured.inverse.round_trip.off
    return off is not None and off > _BROKEN


def _follows(measured: Sides, fixed: Sides) -> bool:
    """Return whether forward reports what is true of moved weights, and not of others."""
    side, still = measured.forward, fixed.forward
    if not side.exact.anchored or side.disagrees or side.exact.ldj is None:
        return False
    if side.said.ldj is None or still.said.ldj is None:
        return False
    return not torch.allclose(side.said.ldj, still.said.ldj)


def _orthogonal(layer: Any) -> frozenset[int]:
    """Return which learnable tensors are rotations, the identity and its like apart."""
    found = set()
    for index, tensor in enumerate(learnable(layer)):
        w = tensor.detach().double()
        if w.dim() != 2 or w.shape[0] != w.shape[1] or len(w) < 2:
            continue
        eye = torch.eye(len(w), dtype=w.dtype)
        off = (w - eye).abs().max()
        if (w @ w.T - eye).abs().max() < _ORTHOGONAL and off > _ORTHOGONAL:
            found.add(index)
    return frozenset(found)
