"""A layer at all its configurations, its parameters moved as far as it can bear."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ldjcheck.measure.as_written import compare_as_written
from ldjcheck.measure.conduct import with_conduct
from ldjcheck.measure.configuration import is_apart, measure_config
from ldjcheck.measure.gradient import measure_gradients
from ldjcheck.measure.isolate import learnable
from ldjcheck.measure.orientation import turn_around
from ldjcheck.measure.refine import refined
from ldjcheck.measure.stand_in import with_stand_ins
from ldjcheck.records import DirectionMeasured, Options
from ldjcheck.tolerance import hides_mistakes

if TYPE_CHECKING:
    from typing import Any

    from ldjcheck.measure.settle import Settled
    from ldjcheck.records import Config, ConfigMeasured, GradientMeasured

_BROKEN = 1e-3  # a way back that misses by more after a move is broken, not imprecise
_ORTHOGONAL = 1e-4
_LESS = (1 / 3, 1 / 10)  # of how far parameters are moved


def measure_everywhere(
    settled: Settled, configs: tuple[Config, ...], *, lives: bool = True
) -> tuple[tuple[ConfigMeasured, ...], tuple[GradientMeasured, ...], dict[str, str]]:
    """Return the measurements, the gradients, and how they were come by.

    Gradients are asked at the first configuration only, as is how the layer conducts itself
    over several calls, unless its `lives` are known.
    """
    settled, measured, said = _measured(settled, configs)
    configs, measured, less = _nearer(settled, configs, measured)
    said |= less
    measured, finer = refined(settled, configs, measured)
    measured = with_stand_ins(settled, configs, measured)
    said = {**said, **finer}
    first, more = compare_as_written(settled, configs[0], measured[0])
    if lives and settled.workshop.behaviour:
        first = with_conduct(settled, configs[0], first)
    gradients = measure_gradients(settled, configs[0], first)
    turned, one_sided = turn_around(settled, configs[0])
    if one_sided is not None:
        more = {**more, "orientation": one_sided}
    return (first, *measured[1:], *turned), gradients, {**said, **more}


def _measured(
    settled: Settled, configs: tuple[Config, ...]
) -> tuple[Settled, tuple[ConfigMeasured, ...], dict[str, str]]:
    """Return the measurements, parameters moved as far as the layer can bear.

    Weights that are orthogonal as built, and are inverted by transposing them, are no
    longer a layer's own once they are moved freely: the way back shows it. They are then
    left where they are, while everything else is moved; the workshop returned does so.
    """
    measured = tuple(
        measure_config(settled.workshop, settled.calls, c) for c in configs
    )
    if not any(config.draw for config in configs) or not _is_broken(measured[0]):
        return settled, measured, {}
    fixed = _orthogonal(settled.workshop.copy()[0])
    if not fixed:
        return settled, measured, {}
    careful = replace(settled.workshop, fixed=fixed)
    again = tuple(measure_config(careful, settled.calls, c) for c in configs)
    if _is_broken(again[0]):
        return settled, measured, {}
    said = "orthogonal weights stay as built: moved, they no longer invert"
    return replace(settled, workshop=careful), again, {"parameters": said}


def _nearer(
    settled: Settled,
    configs: tuple[Config, ...],
    measured: tuple[ConfigMeasured, ...],
) -> tuple[tuple[Config, ...], tuple[ConfigMeasured, ...], dict[str, str]]:
    """Return the measurements with parameters moved less, where rounding decides all.

    A layer that is moved too far saturates, and nothing can be told of it there. Nothing
    is looked at again where numbers part, or where the user has said how far.
    """
    options = settled.workshop.options
    usual = Options()
    asked = options.params_scale, options.atol, options.rtol
    if asked != (usual.params_scale, usual.atol, usual.rtol):
        return configs, measured, {}
    if not configs[0].draw or not _says_nothing(measured):
        return configs, measured, {}
    for less in _LESS:
        near = tuple(replace(c, scale=c.scale * less) for c in configs)
        again = tuple(measure_config(settled.workshop, settled.calls, c) for c in near)
        if not _says_nothing(again):
            moved = f"moved by {near[0].scale:.2g}: further out rounding decides"
            return near, again, {"parameters": moved}
    return configs, measured, {}


def _says_nothing(measured: tuple[ConfigMeasured, ...]) -> bool:
    """Return whether rounding may hide a mistake where the report looks first."""
    sides = [side for each in measured for side in (each.forward, each.inverse)]
    first = next((s for s in sides[:2] if isinstance(s, DirectionMeasured)), None)
    if first is None or first.exact is None or first.dtype != "float64":
        return False
    if any(isinstance(s, DirectionMeasured) and is_apart(s) for s in sides):
        return False
    if first.allowed is None or first.estimated or not first.anchored:
        return False
    lost = float(first.allowed.max()) > hides_mistakes(first.x[0].numel())
    return lost or not bool(torch.isfinite(first.exact).any())


def _is_broken(measured: ConfigMeasured) -> bool:
    inverse = measured.inverse
    if not isinstance(inverse, DirectionMeasured) or inverse.round_trip is None:
        return False
    return inverse.round_trip > _BROKEN


def _orthogonal(layer: Any) -> frozenset[int]:
    """Return which learnable tensors are rotations, the identity and its like apart."""
    found = set()
    for index, tensor in enumerate(learnable(layer)):
        w = tensor.detach().double()
        if w.dim() != 2 or w.shape[0] != w.shape[1] or len(w) < 2:
            continue
        eye = torch.eye(len(w), dtype=w.dtype)
        if (w @ w.T - eye).abs().max() < _ORTHOGONAL and (w * (1 - eye)).any():
            found.add(index)
    return frozenset(found)
