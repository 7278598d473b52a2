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

from ldjcheck.densities.integral import log_integral
from ldjcheck.oracle.both_directions import measure_sides
from ldjcheck.oracle.jacobian import log_abs_det
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.writes import Watch

if TYPE_CHECKING:
    from ldjcheck.records import Probe, Side, Sides
    from ldjcheck.running.bench import Bench
    from ldjcheck.running.runner import Runner

_ASKED = 2  # configurations: each costs an integral per sample and dropped dim
_MOST_DROPPED = 64
_PER_DIM = 1e-4  # nats an integral may be off: heavy tails end far out
_NO_END = 1e6  # nats: an integral that is larger has none, however far it was taken
_VOLUME = 1e-9
_ADDS = 1e-8  # relative: the log-density is a sum over the dropped dims


def with_stand_ins(
    bench: Bench,
    probes: tuple[Probe, ...],
    measured: tuple[Sides, ...],
) -> tuple[Sides, ...]:
    """Return the measurements with what stands in for the exact ldj of resizing maps."""
    if not any(side.exact.is_resizing for each in measured for side in each.both):
        return measured
    pairs = zip(probes[:_ASKED], measured, strict=False)
    changed = tuple(_stood_in(bench, probe, each) for probe, each in pairs)
    smaller = _smaller(probes[0], changed[0])
    if smaller is not None:
        again = measure_sides(bench, smaller)
        measured = (*measured, _stood_in(bench, smaller, again))
    return (*changed, *measured[_ASKED:])


def _smaller(probe: Probe, measured: Sides) -> Probe | None:
    """Return the configuration on smaller images, where a split drops too many dims."""
    side, shape = measured.forward, probe.shape
    if side.exact.jacobian is None:
        return None
    if side.exact.instead != "split" or side.exact.ldj is not None or len(shape) < 2:
        return None
    kept = side.exact.jacobian.shape[1] / side.exact.jacobian.shape[2]
    while math.prod(shape) * (1 - kept) > _MOST_DROPPED and max(shape[1:]) > 1:
        shape = (shape[0], *(max(1, size // 2) for size in shape[1:]))
    fits = math.prod(shape) * (1 - kept) <= _MOST_DROPPED
    return replace(probe, shape=shape) if fits and shape != probe.shape else None


def _stood_in(bench: Bench, probe: Probe, measured: Sides) -> Sides:
    forward, inverse = measured.forward, measured.inverse
    runner, _, _ = bench.ready(probe)
    if forward.exact.is_resizing:
        with contextlib.suppress(LayerRaisedError, UnexpectedReturnError):
            forward = _of_direction(runner, forward)
    if inverse.exact.is_resizing:
        with contextlib.suppress(LayerRaisedError, UnexpectedReturnError):
            inverse = _of_inverse(runner, forward, inverse)
    return replace(
        measured, forward=_placed(runner, forward), inverse=_placed(runner, inverse)
    )


def _placed(runner: Runner, side: Side) -> Side:
    """Return the measurement with where the ldj was made, which no trace can tell."""
    if not side.exact.is_resizing:
        return side
    watch = Watch(remember=True)
    try:
        raw = runner.run(side.direction, side.x, Frozen(), observer=watch).raw
    except (LayerRaisedError, UnexpectedReturnError):
        return side
    return replace(side, said=replace(side.said, made_at=watch.made(raw)))


def _of_direction(runner: Runner, side: Side) -> Side:
    assert side.exact.jacobian is not None
    if side.said.ldj is None or not bool(torch.isfinite(side.exact.jacobian).all()):
        return side
    if side.exact.jacobian.shape[1] < side.exact.jacobian.shape[2]:
        dropped = _dropped(side.exact.jacobian)
        if dropped is not None:
            return _of_split(runner, side, dropped)
    return _of_volume(side)


def _dropped(jacobian: Tensor) -> Tensor | None:
    """Return which inputs are left out, where all the others are copied as they are."""
    rows = jacobian.abs().sum(dim=2)
    copies = torch.allclose(rows, torch.ones_like(rows), atol=1e-9)
    whole = ((jacobian - jacobian.round()).abs() < 1e-9).all()
    if not (copies and bool(whole)) or not torch.equal(
        jacobian, jacobian[:1] + 0 * jacobian
    ):
        return None
    used = jacobian[0].abs().sum(dim=0)
    return used == 0 if bool((used <= 1.0 + 1e-9).all()) else None


def _of_volume(side: Side) -> Side:
    """Return log det(J^T J) / 2, or with J J^T where dims are lost."""
    assert side.exact.jacobian is not None
    jacobian = side.exact.jacobian
    if jacobian.shape[1] < jacobian.shape[2]:
        jacobian = jacobian.mT
    exact = log_abs_det(jacobian.mT @ jacobian)[1] / 2
    allowed = _VOLUME * (1.0 + exact.abs() + jacobian.shape[2])
    return replace(
        side, exact=replace(side.exact, ldj=exact, allowed=allowed, instead="volume")
    )


def _of_split(runner: Runner, side: Side, dropped: Tensor) -> Side:
    """Return the log-density of the dropped part that the ldj claims, normalised."""
    assert side.said.ldj is not None
    if not bool(side.said.ldj.any()):
        zero = torch.zeros_like(side.said.ldj)
        return replace(
            side,
            exact=replace(
                side.exact, ldj=zero, allowed=zero + _VOLUME, instead="nothing"
            ),
        )
    count = int(dropped.sum())
    total = _log_integral(runner, side, dropped) if count <= _MOST_DROPPED else None
    if total is None:
        return replace(side, exact=replace(side.exact, instead="split"))
    lost = 8.0 * torch.finfo(torch.float64).eps * side.said.ldj.abs()
    allowed = count * (_PER_DIM + lost)
    exact = side.said.ldj - torch.where(total < _NO_END, total, torch.inf)
    return replace(
        side, exact=replace(side.exact, ldj=exact, allowed=allowed, instead="split")
    )


def _log_integral(runner: Runner, side: Side, dropped: Tensor) -> Tensor | None:
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


def _ldj(runner: Runner, side: Side, flat: Tensor) -> Tensor | None:
    x = flat.reshape(len(flat), *side.x.shape[1:]).to(side.x.dtype)
    outcome = runner.run(side.direction, x, Frozen())
    if outcome.reported is None:
        return None
    return outcome.reported.detach().double()


def _of_inverse(runner: Runner, forward: Side, inverse: Side) -> Side:
    """Return minus what the forward map says of the point that the way back made up.

    Where that is no density there is nothing to hold the way back against: it repeats the
    mistake, or it may well be right.
    """
    is_split = forward.exact.instead is not None
    if not is_split or inverse.said.ldj is None:
        return _of_direction(runner, inverse)
    there = runner.run("forward", inverse.y, Frozen())
    same = there.y.shape == inverse.x.shape and torch.allclose(
        there.y.detach().double(), inverse.x.double(), atol=1e-9
    )
    if not same or there.reported is None or forward.exact.ldj is None:
        return inverse
    assert forward.said.ldj is not None
    said = there.reported.detach().double()
    if forward.exact.instead == "volume":
        return _of_volume(inverse)
    off = forward.said.ldj - forward.exact.ldj
    wrong = forward.exact.allowed is not None and bool(
        (off.abs() > forward.exact.allowed).any()
    )
    if wrong and not torch.allclose(inverse.said.ldj.double(), -said):
        return replace(
            inverse, exact=replace(inverse.exact, instead=forward.exact.instead)
        )
    said = said - off
    return replace(
        inverse,
        exact=replace(
            inverse.exact,
            ldj=-said,
            allowed=forward.exact.allowed,
            instead=forward.exact.instead,
        ),
    )
