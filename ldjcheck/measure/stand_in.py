"""What an ldj is compared with where the Jacobian is not square.

A layer that drops dims may add the log-density of what it drops, under a prior that it
holds: then exp(ldj) must integrate to one over the dropped part, whatever is kept. A map
into more or fewer dims may report its volume factor, log det(J^T J) / 2.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.integral import log_integral
from ldjcheck.measure.configuration import measure_config, ready
from ldjcheck.measure.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.measure.guard import Frozen
from ldjcheck.measure.watch import Watch
from ldjcheck.records import DirectionMeasured
from ldjcheck.tolerance import lost_below, says_nothing

if TYPE_CHECKING:
    from ldjcheck.measure.runner import Runner
    from ldjcheck.measure.settle import Settled
    from ldjcheck.records import Config, ConfigMeasured, Unavailable

_ASKED = 2  # configurations: each costs an integral per sample and dropped dim
_MOST_DROPPED = 64
_PER_DIM = 1e-4  # nats an integral may be off: heavy tails end far out
_NO_END = 1e6  # nats: an integral that is larger has none, however far it was taken
_VOLUME = 1e-9
_ADDS = 1e-8  # relative: the log-density is a sum over the dropped dims


def with_stand_ins(
    settled: Settled,
    configs: tuple[Config, ...],
    measured: tuple[ConfigMeasured, ...],
) -> tuple[ConfigMeasured, ...]:
    """Return the measurements with what stands in for the exact ldj of resizing maps."""
    if not any(_is_resizing(s) for m in measured for s in (m.forward, m.inverse)):
        return measured
    pairs = zip(configs[:_ASKED], measured, strict=False)
    changed = tuple(_stood_in(settled, config, each) for config, each in pairs)
    smaller = _smaller(configs[0], changed[0])
    if smaller is not None:
        again = measure_config(settled.workshop, settled.calls, smaller)
        measured = (*measured, _stood_in(settled, smaller, again))
    return (*changed, *measured[_ASKED:])


def _smaller(config: Config, measured: ConfigMeasured) -> Config | None:
    """Return the configuration on smaller images, where a split drops too many dims."""
    side, shape = measured.forward, config.shape
    if not isinstance(side, DirectionMeasured) or side.jacobian is None:
        return None
    if side.instead != "split" or side.exact is not None or len(shape) < 2:
        return None
    kept = side.jacobian.shape[1] / side.jacobian.shape[2]
    while math.prod(shape) * (1 - kept) > _MOST_DROPPED and max(shape[1:]) > 1:
        shape = (shape[0], *(max(1, size // 2) for size in shape[1:]))
    fits = math.prod(shape) * (1 - kept) <= _MOST_DROPPED
    return replace(config, shape=shape) if fits and shape != config.shape else None


def _stood_in(
    settled: Settled, config: Config, measured: ConfigMeasured
) -> ConfigMeasured:
    forward, inverse = measured.forward, measured.inverse
    runner, _, _ = ready(settled.workshop, settled.calls, config)
    if isinstance(forward, DirectionMeasured) and _is_resizing(forward):
        with contextlib.suppress(LayerRaisedError, UnexpectedReturnError):
            forward = _of_direction(runner, forward)
    if isinstance(inverse, DirectionMeasured) and _is_resizing(inverse):
        with contextlib.suppress(LayerRaisedError, UnexpectedReturnError):
            inverse = _of_inverse(runner, forward, inverse)
    return replace(
        measured, forward=_placed(runner, forward), inverse=_placed(runner, inverse)
    )


def _placed(
    runner: Runner, side: DirectionMeasured | Unavailable
) -> DirectionMeasured | Unavailable:
    """Return the measurement with where the ldj was made, which no trace can tell."""
    if not isinstance(side, DirectionMeasured) or not _is_resizing(side):
        return side
    watch = Watch(remember=True)
    try:
        raw = runner.run(side.direction, side.x, Frozen(), observer=watch).raw
    except (LayerRaisedError, UnexpectedReturnError):
        return side
    return replace(side, ldj_at=watch.made(raw))


def _is_resizing(side: object) -> bool:
    if not isinstance(side, DirectionMeasured) or side.jacobian is None:
        return False
    return side.jacobian.shape[1] != side.jacobian.shape[2]


def _of_direction(runner: Runner, side: DirectionMeasured) -> DirectionMeasured:
    assert side.jacobian is not None
    if side.reported is None or not bool(torch.isfinite(side.jacobian).all()):
        return side
    if side.jacobian.shape[1] < side.jacobian.shape[2]:
        dropped = _dropped(side.jacobian)
        if dropped is not None:
            return _of_split(runner, side, dropped)
    return _of_volume(side)


def _dropped(jacobian: Tensor) -> Tensor | None:
    """Return which inputs are left out, where all the others are copied as they are."""
    rows = jacobian.abs().sum(dim=2)
    copies = torch.allclose(rows, torch.ones_like(rows), atol=1e-9)
    whole = ((jacobian - jacobian.round()).abs() < 1e-9).all()
    if not (copies and bool(whole)) or not torch.allclose(
        jacobian, jacobian[:1].expand_as(jacobian), atol=1e-9
    ):
        return None
    used = jacobian[0].abs().sum(dim=0)
    return used == 0 if bool((used <= 1.0 + 1e-9).all()) else None


def _of_volume(side: DirectionMeasured) -> DirectionMeasured:
    """Return log det(J^T J) / 2, or with J J^T where dims are lost."""
    assert side.jacobian is not None
    jacobian = side.jacobian
    if jacobian.shape[1] < jacobian.shape[2]:
        jacobian = jacobian.mT
    sizes = torch.linalg.svdvals(jacobian)
    exact = sizes.log().sum(1)
    lost = sizes[:, -1] <= lost_below(jacobian.shape[2], side.dtype) * sizes[:, 0]
    exact = exact.masked_fill(lost, -math.inf)
    allowed = _VOLUME * (1.0 + exact.abs() + jacobian.shape[2])
    return replace(side, exact=exact, allowed=allowed, instead="volume")


def _of_split(
    runner: Runner, side: DirectionMeasured, dropped: Tensor
) -> DirectionMeasured:
    """Return the log-density of the dropped part that the ldj claims, normalised."""
    assert side.reported is not None
    if says_nothing(side.reported, side.x[0].numel(), side.dtype):
        zero = torch.zeros_like(side.reported)
        return replace(side, exact=zero, allowed=zero + _VOLUME, instead="nothing")
    count = int(dropped.sum())
    total = _log_integral(runner, side, dropped) if count <= _MOST_DROPPED else None
    if total is None:
        return replace(side, instead="split")
    lost = 8.0 * torch.finfo(torch.float64).eps * side.reported.abs()
    allowed = count * (_PER_DIM + lost)
    exact = side.reported - torch.where(total < _NO_END, total, torch.inf)
    return replace(side, exact=exact, allowed=allowed, instead="split")


def _log_integral(
    runner: Runner, side: DirectionMeasured, dropped: Tensor
) -> Tensor | None:
    """Return log of the integral of exp(ldj) over the dropped part, `(batch,)`.

    The log-density must be a sum over the dropped dims, which is tried; then the integral
    is a product of one-dimensional ones.
    """
    flat = side.x.reshape(len(side.x), -1).double()
    at_x = _ldj(runner, side, flat)
    if at_x is None:
        return None
    total, moved, parts = at_x.clone(), flat.clone(), torch.zeros_like(at_x)
    for index in dropped.nonzero().flatten().tolist():

        def change(u: Tensor, index: int = index) -> Tensor | None:
            rows = flat.repeat_interleave(u.shape[1], dim=0)
            rows[:, index] = u.flatten()
            values = _ldj(runner, side, rows)
            return None if values is None else values.reshape(u.shape) - at_x[:, None]

        of_dim = log_integral(change, flat[:, index])
        if of_dim is None:
            return None
        total = total + of_dim
        moved[:, index] += 0.4 + 0.06 * (index % 5)
        step = change(moved[:, index : index + 1])
        assert step is not None
        parts = parts + step[:, 0]
    together = _ldj(runner, side, moved)
    if together is None:
        return None
    off = (together - at_x - parts).abs()
    adds = bool((off <= _ADDS * (1.0 + together.abs() + at_x.abs())).all())
    return total if adds and not bool(torch.isnan(total).any()) else None


def _ldj(runner: Runner, side: DirectionMeasured, flat: Tensor) -> Tensor | None:
    x = flat.reshape(len(flat), *side.x.shape[1:]).to(side.x.dtype)
    outcome = runner.run(side.direction, x, Frozen())
    if outcome.reported is None:
        return None
    return outcome.reported.detach().double()


def _of_inverse(
    runner: Runner, forward: object, inverse: DirectionMeasured
) -> DirectionMeasured:
    """Return minus what the forward map says of the point that the way back made up.

    Where that is no density there is nothing to hold the way back against: it repeats the
    mistake, or it may well be right.
    """
    is_split = isinstance(forward, DirectionMeasured) and forward.instead is not None
    if not is_split or inverse.reported is None:
        return _of_direction(runner, inverse)
    assert isinstance(forward, DirectionMeasured)
    there = runner.run("forward", inverse.y, Frozen())
    same = there.y.shape == inverse.x.shape and torch.allclose(
        there.y.detach().double(), inverse.x.double(), atol=1e-9
    )
    if not same or there.reported is None or forward.exact is None:
        return inverse
    assert forward.reported is not None
    said = there.reported.detach().double()
    if forward.instead == "volume":
        return _of_volume(inverse)
    off = forward.reported - forward.exact
    wrong = forward.allowed is not None and bool((off.abs() > forward.allowed).any())
    if wrong and not torch.allclose(inverse.reported.double(), -said):
        return replace(inverse, instead=forward.instead)
    said = said - off
    return replace(
        inverse, exact=-said, allowed=forward.allowed, instead=forward.instead
    )
