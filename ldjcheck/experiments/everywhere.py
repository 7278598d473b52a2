"""A layer at all its configurations, its parameters moved as far as it can bear."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ldjcheck.experiments.branches import beyond_bounds
from ldjcheck.experiments.conduct import with_conduct
from ldjcheck.experiments.convergence import refined
from ldjcheck.experiments.float32_parity import compare_as_written
from ldjcheck.experiments.gradient import measure_gradients
from ldjcheck.experiments.orientation import look_for_folds, turn_around
from ldjcheck.experiments.perturbation import nearer, where_borne
from ldjcheck.experiments.uninitialised_memory import with_memory
from ldjcheck.oracle.both_directions import measure_sides
from ldjcheck.oracle.direction import are_all_apart
from ldjcheck.oracle.other_dims import with_stand_ins
from ldjcheck.oracle.preimage import only_solves
from ldjcheck.running.snapshot.isolation import is_kept_in_place, learnable

if TYPE_CHECKING:
    from typing import Any

    from ldjcheck.records import GradientMeasured, Probe, Sides
    from ldjcheck.running.bench import Bench

_BROKEN = 1e-3  # a way back that misses by more after a move is broken, not imprecise
_ORTHOGONAL = 1e-4
_STAY = "orthogonal weights stay as built: moved, they no longer invert"
_AS_BUILT = "leads back while weights are orthogonal, as they are built, and not beyond"
_FREE = (
    "weights that start orthogonal are learned freely, and the map and its ldj are right "
    "only while they stay so: nothing that the layer holds sees to it"
)


def measure_everywhere(
    bench: Bench, probes: tuple[Probe, ...], *, lives: bool = True
) -> tuple[tuple[Sides, ...], tuple[GradientMeasured, ...], dict[str, str]]:
    """Return the measurements, the gradients, and how they were come by.

    Gradients are asked at the first configuration only, as is how the layer conducts itself
    over several calls, unless its `lives` are known.
    """
    bench, probes, measured, said, is_refined = _values(bench, probes)
    if bench.behaviour and are_all_apart(measured):
        bench = replace(bench, apart=True)
    first, more = compare_as_written(bench, probes[0], measured[0])
    if lives and bench.behaviour:
        first = with_conduct(bench, probes[0], first)
    gradients = measure_gradients(bench, probes[0], first)
    turned, one_sided = turn_around(bench, probes[0], approximates=is_refined)
    if one_sided is not None:
        more = {**more, "orientation": one_sided}
    if not is_refined and not turned and lives:
        turned = beyond_bounds(bench, probes, (first, *measured[1:]))
        turned += look_for_folds(bench, probes, (first, *measured[1:]))
    return (first, *measured[1:], *turned), gradients, {**said, **more}


def measure_values(
    bench: Bench, probes: tuple[Probe, ...]
) -> tuple[tuple[Sides, ...], tuple[GradientMeasured, ...], dict[str, str]]:
    """Return the measurements, the gradients, and how they were come by: no lives.

    Enough for a layer that is known, and is called in another way.
    """
    bench, probes, measured, said, _ = _values(bench, probes)
    return measured, measure_gradients(bench, probes[0], measured[0]), said


def _values(
    bench: Bench, probes: tuple[Probe, ...]
) -> tuple[Bench, tuple[Probe, ...], tuple[Sides, ...], dict[str, str], bool]:
    """Return the measurements, and whether an approximation had to be refined for them."""
    bench, probes, measured, said = _measured(bench, probes)
    measured = (with_memory(bench, measured[0]), *measured[1:])
    measured, finer = refined(bench, probes, measured)
    measured = with_stand_ins(bench, measured)
    return bench, probes, measured, {**said, **finer}, bool(finer)


def _measured(
    bench: Bench, probes: tuple[Probe, ...]
) -> tuple[Bench, tuple[Probe, ...], tuple[Sides, ...], dict[str, str]]:
    """Return the measurements, parameters moved as far as the layer can bear.

    Weights that are orthogonal as built, and are inverted by transposing them, are no
    longer a layer's own once they are moved freely: the way back shows it. They are then
    left where they are, while everything else is moved; the bench returned does so.
    An ldj that follows them wherever they go says that they are meant to be moved: then
    it is the way back that is wrong.
    """
    said: dict[str, str] = {}
    first = measure_sides(bench, probes[0])
    if only_solves((first,)):
        bench = replace(bench, solves=True)
    closer = nearer(bench, probes, first)
    if closer is not None:
        probes, said["parameters"] = closer
    measured = _at(bench, probes, first if closer is None else None)
    measured = where_borne(bench, measured)
    if not probes[0].draw or not _is_broken(measured[0]):
        return bench, probes, measured, said
    fixed = _orthogonal(bench.copy().layer)
    if not fixed:
        return bench, probes, measured, said
    careful = replace(bench, fixed=fixed)
    again = _at(careful, probes)
    if _is_broken(again[0]):
        return bench, probes, measured, said
    if _follows(measured[0], again[0]):
        return bench, probes, measured, {**said, "round trip": _AS_BUILT}
    said["parameters"] = _STAY
    if not is_kept_in_place(bench.layer.obj, fixed):
        said["orthogonal"] = _FREE
    return careful, probes, again, said


def _at(
    bench: Bench, probes: tuple[Probe, ...], first: Sides | None = None
) -> tuple[Sides, ...]:
    """Return the measurements; the first, where it is known already."""
    known = () if first is None else (first,)
    rest = probes[len(known) :]
    return (
        *known,
        *(measure_sides(bench, c) for c in rest),
    )


def _is_broken(measured: Sides) -> bool:
    inverse = measured.inverse
    if inverse.round_trip.off is None:
        return False
    return inverse.round_trip.off > _BROKEN


def _follows(measured: Sides, fixed: Sides) -> bool:
    """Return whether forward reports what is true of moved weights, and not of others."""
    side, still = measured.forward, fixed.forward
    if not side.exact.anchored or side.disagrees:
        return False
    if side.exact.ldj is None:
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
