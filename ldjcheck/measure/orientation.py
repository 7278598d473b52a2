"""Turning orientations around, to see whether a log is taken of a signed number.

Half of all scales and matrices turn space around, but one that starts at 1, or at the
spread of the data, stays positive however far a check moves it. The map does not mind a
sign; a logarithm without an absolute value does, as does one of what is held above zero.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ldjcheck.measure.configuration import measure_config, ready
from ldjcheck.measure.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.measure.guard import Frozen
from ldjcheck.measure.isolate import learnable
from ldjcheck.measure.prepare import oriented
from ldjcheck.measure.sides import is_apart
from ldjcheck.numerical_rank import has_both_signs
from ldjcheck.records import DirectionMeasured
from ldjcheck.tolerance import says_nothing, tells_a_mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ldjcheck.measure.prepare import Workshop
    from ldjcheck.measure.runner import Outcome
    from ldjcheck.measure.settle import Settled
    from ldjcheck.records import Calls, Config, ConfigMeasured

_MANY = 32  # samples, to tell a map that folds from one that a few parameters fold
_ONE_SIDED = (
    "where a matrix or number that is learned turns space around, the ldj is NaN; "
    "whether that is ever reached, its start does not tell"
)


def turn_around(
    settled: Settled, first: Config, *, approximates: bool
) -> tuple[tuple[ConfigMeasured, ...], str | None]:
    """Return measurements in which the log of a negative scale is NaN, or why it may be.

    A vector of scales may change sign in training, dim by dim: a NaN there is a mistake,
    and so is another number, where the map is undone there as it is elsewhere, unless the
    layer `approximates` its ldj.
    A matrix, or a number, may be built so that its sign is known, and a determinant does
    not pass through zero; then neither right nor wrong is proved.
    """
    if first.draw == 0 or not _has_orientation(settled):
        return (), None
    shop = replace(settled.workshop, behaviour=False)
    runner, _, _ = ready(shop, settled.calls, first)
    if oriented(runner.layer, shop.fixed, "scales"):
        scales = measure_config(shop, settled.calls, replace(first, turned="scales"))
        if _is_nan_alone(scales) or (not approximates and _is_wrong_alone(scales)):
            return (scales,), None
    turned = replace(first, turned="all")
    if not _may_lose_ldj(shop, settled.calls, turned):
        return (), None
    everything = measure_config(shop, settled.calls, turned)
    return (), _ONE_SIDED if _is_nan_alone(everything) else None


def _may_lose_ldj(workshop: Workshop, calls: Calls, turned: Config) -> bool:
    """Return whether a direction reports no finite ldj, or cannot be looked at by a run."""
    runner, x, _ = ready(workshop, calls, turned)
    if calls.forward is None:
        return True
    try:
        there = runner.run("forward", x, Frozen())
        if calls.inverse is None:
            return _is_lost(there)
        back = runner.run("inverse", there.y.detach(), Frozen())
    except (LayerRaisedError, UnexpectedReturnError):
        return True
    return _is_lost(there) or _is_lost(back)


def _is_lost(outcome: Outcome) -> bool:
    reported = outcome.reported
    return reported is not None and not bool(torch.isfinite(reported).any())


def look_for_folds(
    settled: Settled, configs: tuple[Config, ...], measured: tuple[ConfigMeasured, ...]
) -> tuple[ConfigMeasured, ...]:
    """Return more samples at each draw of the parameters, where one draw folds the map.

    A few samples may all lie on one side of a fold, and parameters that were moved may fold
    what is meant to be kept straight: only many samples tell one from the other.
    """
    if not any(_has_both_signs(each.forward) for each in measured):
        return ()
    shop = replace(settled.workshop, behaviour=False)
    draws = {(config.draw, config.shape): config for config in configs}
    return tuple(
        measure_config(shop, settled.calls, replace(c, batch=_MANY, region="usual"))
        for c in draws.values()
    )


def _has_both_signs(side: object) -> bool:
    if not isinstance(side, DirectionMeasured) or side.jacobian is None:
        return False
    if side.jacobian.shape[1] != side.jacobian.shape[2]:
        return False
    return has_both_signs(side.jacobian)


def _has_orientation(settled: Settled) -> bool:
    """Return whether a parameter is a vector or number of one sign, or a square matrix."""
    return any(
        bool((tensor > 0).all()) or bool((tensor < 0).all())
        if tensor.numel() == max(tensor.shape, default=1)
        else tensor.shape[0] == tensor.shape[1]
        for tensor in learnable(settled.workshop.layer.obj)
    )


def _is_nan_alone(measured: ConfigMeasured) -> bool:
    """Return whether only an ldj is lost: the map is finite, and nowhere folded."""
    return any(
        side.reported is not None and not bool(torch.isfinite(side.reported).any())
        for side in _regular_sides(measured)
    )


def _is_wrong_alone(measured: ConfigMeasured) -> bool:
    """Return whether every ldj is another number, and the way back, if any, leads back."""
    back = measured.inverse
    if isinstance(back, DirectionMeasured):
        trip, allowed = back.round_trip, back.round_trip_allowed
        if trip is None or allowed is None or trip > allowed:
            return False
    return any(map(_is_wrong, _regular_sides(measured)))


def _is_wrong(side: DirectionMeasured) -> bool:
    if side.exact is None or side.reported is None or not is_apart(side):
        return False
    least = tells_a_mistake(side.x[0].numel())
    return bool(((side.reported - side.exact).abs() > least).all())


def _regular_sides(measured: ConfigMeasured) -> Iterator[DirectionMeasured]:
    """Yield the directions that report an ldj of a map that is well where it was turned.

    A way back that reports nothing but zeros tracks none.
    """
    side, back = measured.forward, measured.inverse
    if isinstance(side, DirectionMeasured) and side.reported is not None:
        if not _is_regular(side):
            return
        yield side
    if not isinstance(back, DirectionMeasured) or back.reported is None:
        return
    silent = says_nothing(back.reported, back.x[0].numel(), back.dtype)
    if not silent and _is_regular(back):
        yield back


def _is_regular(side: DirectionMeasured) -> bool:
    """Return whether the map is known, finite, and nowhere folded."""
    if side.exact is None or side.jacobian is None or not side.anchored:
        return False
    if not torch.isfinite(side.exact).all():
        return False
    return not has_both_signs(side.jacobian)
