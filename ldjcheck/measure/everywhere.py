"""A layer at all its configurations, its parameters moved as far as it can bear."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ldjcheck.measure.as_written import compare_as_written
from ldjcheck.measure.bearing import nearer, where_borne
from ldjcheck.measure.bounds import beyond_bounds
from ldjcheck.measure.conduct import with_conduct
from ldjcheck.measure.configuration import measure_config
from ldjcheck.measure.direction import are_all_apart
from ldjcheck.measure.gradient import measure_gradients
from ldjcheck.measure.isolate import is_kept_in_place, learnable
from ldjcheck.measure.orientation import look_for_folds, turn_around
from ldjcheck.measure.refine import refined
from ldjcheck.measure.round_trip import only_solves
from ldjcheck.measure.sides import is_apart
from ldjcheck.measure.stand_in import with_stand_ins
from ldjcheck.measure.uninitialised import with_memory
from ldjcheck.records import DirectionMeasured

if TYPE_CHECKING:
    from typing import Any

    from ldjcheck.measure.settle import Settled
    from ldjcheck.records import Config, ConfigMeasured, GradientMeasured

_BROKEN = 1e-3  # a way back that misses by more after a move is broken, not imprecise
_ORTHOGONAL = 1e-4
_STAY = "orthogonal weights stay as built: moved, they no longer invert"
_AS_BUILT = "leads back while weights are orthogonal, as they are built, and not beyond"
_FREE = (
    "weights that start orthogonal are learned freely, and the map and its ldj are right "
    "only while they stay so: nothing that the layer holds sees to it"
)


def measure_everywhere(
    settled: Settled, configs: tuple[Config, ...], *, lives: bool = True
) -> tuple[tuple[ConfigMeasured, ...], tuple[GradientMeasured, ...], dict[str, str]]:
    """Return the measurements, the gradients, and how they were come by.

    Gradients are asked at the first configuration only, as is how the layer conducts itself
    over several calls, unless its `lives` are known.
    """
    settled, configs, measured, said, is_refined = _values(settled, configs)
    if settled.workshop.behaviour and are_all_apart(measured):
        settled = replace(settled, workshop=replace(settled.workshop, apart=True))
    first, more = compare_as_written(settled, configs[0], measured[0])
    if lives and settled.workshop.behaviour:
        first = with_conduct(settled, configs[0], first)
    gradients = measure_gradients(settled, configs[0], first)
    turned, one_sided = turn_around(settled, configs[0], approximates=is_refined)
    if one_sided is not None:
        more = {**more, "orientation": one_sided}
    if not is_refined and not turned and lives:
        turned = beyond_bounds(settled, configs, (first, *measured[1:]))
        turned += look_for_folds(settled, configs, (first, *measured[1:]))
    return (first, *measured[1:], *turned), gradients, {**said, **more}


def measure_values(
    settled: Settled, configs: tuple[Config, ...]
) -> tuple[tuple[ConfigMeasured, ...], tuple[GradientMeasured, ...], dict[str, str]]:
    """Return the measurements, the gradients, and how they were come by: no lives.

    Enough for a layer that is known, and is called in another way.
    """
    settled, configs, measured, said, _ = _values(settled, configs)
    return measured, measure_gradients(settled, configs[0], measured[0]), said


def _values(
    settled: Settled, configs: tuple[Config, ...]
) -> tuple[
    Settled, tuple[Config, ...], tuple[ConfigMeasured, ...], dict[str, str], bool
]:
    """Return the measurements, and whether an approximation had to be refined for them."""
    settled, configs, measured, said = _measured(settled, configs)
    measured = (with_memory(settled, measured[0]), *measured[1:])
    measured, finer = refined(settled, configs, measured)
    measured = with_stand_ins(settled, configs, measured)
    return settled, configs, measured, {**said, **finer}, bool(finer)


def _measured(
    settled: Settled, configs: tuple[Config, ...]
) -> tuple[Settled, tuple[Config, ...], tuple[ConfigMeasured, ...], dict[str, str]]:
    """Return the measurements, parameters moved as far as the layer can bear.

    Weights that are orthogonal as built, and are inverted by transposing them, are no
    longer a layer's own once they are moved freely: the way back shows it. They are then
    left where they are, while everything else is moved; the workshop returned does so.
    An ldj that follows them wherever they go says that they are meant to be moved: then
    it is the way back that is wrong.
    """
    said: dict[str, str] = {}
    first = measure_config(settled.workshop, settled.calls, configs[0])
    if only_solves((first,)):
        settled = replace(settled, workshop=replace(settled.workshop, solves=True))
    closer = nearer(settled, configs, first)
    if closer is not None:
        configs, said["parameters"] = closer
    measured = _at(settled, configs, first if closer is None else None)
    measured = where_borne(settled, measured)
    if not configs[0].draw or not _is_broken(measured[0]):
        return settled, configs, measured, said
    fixed = _orthogonal(settled.workshop.copy().layer)
    if not fixed:
        return settled, configs, measured, said
    careful = replace(settled, workshop=replace(settled.workshop, fixed=fixed))
    again = _at(careful, configs)
    if _is_broken(again[0]):
        return settled, configs, measured, said
    if _follows(measured[0], again[0]):
        return settled, configs, measured, {**said, "round trip": _AS_BUILT}
    said["parameters"] = _STAY
    if not is_kept_in_place(settled.workshop.layer.obj, fixed):
        said["orthogonal"] = _FREE
    return careful, configs, again, said


def _at(
    settled: Settled, configs: tuple[Config, ...], first: ConfigMeasured | None = None
) -> tuple[ConfigMeasured, ...]:
    """Return the measurements; the first, where it is known already."""
    known = () if first is None else (first,)
    rest = configs[len(known) :]
    return (
        *known,
        *(measure_config(settled.workshop, settled.calls, c) for c in rest),
    )


def _is_broken(measured: ConfigMeasured) -> bool:
    inverse = measured.inverse
    if not isinstance(inverse, DirectionMeasured) or inverse.round_trip is None:
        return False
    return inverse.round_trip > _BROKEN


def _follows(measured: ConfigMeasured, fixed: ConfigMeasured) -> bool:
    """Return whether forward reports what is true of moved weights, and not of others."""
    side, still = measured.forward, fixed.forward
    if not isinstance(side, DirectionMeasured) or not side.anchored or is_apart(side):
        return False
    if not isinstance(still, DirectionMeasured) or side.exact is None:
        return False
    if side.reported is None or still.reported is None:
        return False
    return not torch.allclose(side.reported, still.reported)


def _orthogonal(layer: Any) -> frozenset[int]:
    """Return which learnable tensors are rotations, the identity and its like apart."""
    found = set()
    for index, tensor in enumerate(learnable(layer)):
        w = tensor.detach().double()
        if w.dim() != 2 or w.shape[0] != w.shape[1] or len(w) < 2:
            continue
        eye = torch.eye(len(w), dtype=w.dtype)
        if (w @ w.T - eye).abs().max() < _ORTHOGONAL and (
            w - eye
        ).abs().max() > _ORTHOGONAL:
            found.add(index)
    return frozenset(found)
