"""Layers that approximate: their difference goes to zero as they take finer steps.

A flow that integrates an ODE with fixed steps adds up traces, and a series is cut off
somewhere. The exact ldj of the map that really ran then differs from what is reported, by
less and less as the number of steps grows. A mistake stays.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ldjcheck.holdings import attributes, reachable
from ldjcheck.measure.configuration import is_apart, ready
from ldjcheck.measure.direction import measure_direction
from ldjcheck.measure.guard import Frozen
from ldjcheck.measure.runner import LayerRaisedError, UnexpectedReturnError
from ldjcheck.records import DirectionMeasured

if TYPE_CHECKING:
    from ldjcheck.measure.runner import Runner
    from ldjcheck.measure.settle import Settled
    from ldjcheck.records import Config, ConfigMeasured, Direction, Options

_TRIED = 6  # attributes
_LONGER = 1.5  # a call with four times the steps runs so many times the operations
_SHRINKS = 1.6  # and its difference is at most this fraction: order one gives 2
_ROUNDING = 1e-9  # a difference or a miss that is no approximation's
_LEFT = 0.1  # of the finest difference: what may remain in the limit
_FEWEST, _MOST = 2, 200
_FINER = ((2, 4), (8, 16))  # a series may grow before it shrinks


def refined(
    settled: Settled,
    configs: tuple[Config, ...],
    measured: tuple[ConfigMeasured, ...],
) -> tuple[tuple[ConfigMeasured, ...], dict[str, str]]:
    """Return the measurements with the approximation's own error allowed, and why.

    At every configuration where the numbers part, they must come together.
    """
    said: dict[str, str] = {}
    for direction in ("forward", "inverse"):
        names = _converging(settled, configs, measured, direction)
        if names is None:
            continue
        measured = tuple(_allowing(each, direction) for each in measured)
        said[f"approximation {direction}"] = (
            f"the difference goes to zero as {names} takes finer steps: no mistake"
        )
    return measured, said


def _converging(
    settled: Settled,
    configs: tuple[Config, ...],
    measured: tuple[ConfigMeasured, ...],
    direction: Direction,
) -> str | None:
    """Return the attribute that makes all differences vanish, or None."""
    apart = [
        (config, side)
        for config, each in zip(configs, measured, strict=True)
        if isinstance(side := _side(each, direction), DirectionMeasured)
        and side.estimated == 0
        and (is_apart(side) or _comes_back_off(side))
    ]
    if not apart:
        return None
    first_config, first = apart[0]
    for name in _candidates(settled, first_config, first):
        for few, many in _FINER:
            if _vanishes(settled, first_config, first, name, (few, many)) and all(
                _vanishes(settled, config, side, name, (few,))
                for config, side in apart[1:]
            ):
                return name
    return None


def _candidates(settled: Settled, config: Config, side: DirectionMeasured) -> list[str]:
    """Return the attributes that make a call longer when they are made finer."""
    runner, _, _ = ready(settled.workshop, settled.calls, config)
    usual = _operations(runner, side)
    found = []
    names = dict.fromkeys(name for _, name, _ in _numbers(runner.layer))
    for name in list(names)[: 4 * _TRIED]:
        runner, _, _ = ready(settled.workshop, settled.calls, config)
        if runner.layer is settled.workshop.layer.obj:
            return []  # what cannot be copied is left as it is
        _refine(runner.layer, name, 4)
        if usual and _operations(runner, side) > _LONGER * usual:
            found.append(name)
    return found[:_TRIED]


def _operations(runner: Runner, side: DirectionMeasured) -> int:
    try:
        return runner.run(side.direction, side.x, Frozen()).operations
    except (LayerRaisedError, UnexpectedReturnError):
        return 0


def _vanishes(
    settled: Settled,
    config: Config,
    side: DirectionMeasured,
    name: str,
    finer: tuple[int, ...],
) -> bool:
    """Return whether what is off shrinks at a steady rate, towards zero."""
    gaps, misses = [_gap(side)], [side.round_trip or 0.0]
    for times in finer:
        runner, x, _ = ready(settled.workshop, settled.calls, config)
        _refine(runner.layer, name, times)
        try:
            gaps.append(_gap_of(runner, side, settled.workshop.options))
            if side.round_trip is not None:
                misses.append(_miss(runner, x))
        except (LayerRaisedError, UnexpectedReturnError):
            return False
    if any(gap is None for gap in gaps):
        return False
    known = [gap for gap in gaps if gap is not None]
    if is_apart(side):
        sizes = [float(gap.abs().max()) for gap in known]
        if not _shrink(sizes) or (len(known) == 3 and not _ends_at_zero(known)):
            return False
    return not _comes_back_off(side) or _shrink(misses)


def _gap_of(runner: Runner, side: DirectionMeasured, options: Options) -> Tensor | None:
    if not is_apart(side):
        return _gap(side)
    return _gap(
        measure_direction(runner, side.direction, side.x, options, behaviour=False)
    )


def _miss(runner: Runner, x: Tensor) -> float:
    """Return by how much the way back misses x."""
    y = runner.run("forward", x, Frozen()).y.detach()
    back = runner.run("inverse", y, Frozen()).y.detach()
    return float((back - x).abs().max())


def _comes_back_off(side: DirectionMeasured) -> bool:
    off, allowed = side.round_trip, side.round_trip_allowed
    return off is not None and allowed is not None and allowed < off < math.inf


def _shrink(sizes: list[float]) -> bool:
    """Return whether each size is well below the one before, or is rounding."""
    return all(
        after <= _ROUNDING or before >= _SHRINKS * after
        for before, after in itertools.pairwise(sizes)
    )


def _ends_at_zero(gaps: list[Tensor]) -> bool:
    """Return whether the sequence, extrapolated by Aitken, ends near zero."""
    coarse, middle, fine = gaps
    first, second = middle - coarse, fine - middle
    bent = second - first
    safe = torch.where(bent == 0, torch.ones_like(bent), bent)
    limit = torch.where(bent == 0, fine, fine - second**2 / safe)
    return float(limit.abs().max()) <= _LEFT * float(fine.abs().max()) + _ROUNDING


def _gap(side: DirectionMeasured) -> Tensor | None:
    if side.reported is None or side.exact is None:
        return None
    gap = side.reported - side.exact
    return gap if bool(torch.isfinite(gap).all()) else None


def _allowing(measured: ConfigMeasured, direction: Direction) -> ConfigMeasured:
    """Return the measurement with what the approximation is off by allowed."""
    side = _side(measured, direction)
    if not isinstance(side, DirectionMeasured):
        return measured
    if is_apart(side):
        gap = _gap(side)
        assert gap is not None
        assert side.allowed is not None
        allowed = torch.maximum(side.allowed, 1.01 * gap.abs())
        side = replace(side, allowed=allowed, approximate=True)
    if _comes_back_off(side):
        assert side.round_trip is not None
        side = replace(
            side, round_trip_allowed=1.01 * side.round_trip, approximate=True
        )
    if direction == "forward":
        return replace(measured, forward=side)
    return replace(measured, inverse=side)


def _side(measured: ConfigMeasured, direction: Direction) -> object:
    return measured.forward if direction == "forward" else measured.inverse


def _numbers(layer: Any) -> list[tuple[Any, str, float]]:
    """Return the counts and step sizes that the layer's parts hold."""
    found: list[tuple[Any, str, float]] = []
    for item in reachable(layer):
        if isinstance(item, (Tensor, dict, list, tuple)):
            continue
        for name, value in attributes(item).items():
            if (type(value) is int and _FEWEST <= value <= _MOST) or (
                type(value) is float and 0.0 < value < 1.0 and math.isfinite(value)
            ):
                found.append((item, name, value))
    return found


def _refine(layer: Any, wanted: str, times: int) -> None:
    """Multiply a count, or divide a step size, wherever it has this name."""
    for item, name, value in _numbers(layer):
        if name == wanted:
            finer = value * times if type(value) is int else value / times
            try:
                setattr(item, name, finer)
            except (AttributeError, TypeError):
                continue
