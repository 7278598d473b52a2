"""Layers that drop dims: whether their ldj is a log-density of what they drop.

Such a layer may add the log-density of what it drops, under a prior that it holds: then
exp(ldj) must integrate to one over the dropped part, whatever is kept.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.densities.integral import log_integral
from ldjcheck.numerics.tolerance import says_nothing
from ldjcheck.oracle.question import Question
from ldjcheck.records import Side
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner

MOST_DROPPED = 64  # dims: each costs an integral per sample
_PER_DIM = 1e-4  # nats an integral may be off: heavy tails end far out
_NO_END = 1e6  # nats: an integral that is larger has none, however far it was taken
_ROUNDING = 1e-9
_ADDS = 1e-8  # relative: the log-density is a sum over the dropped dims


def known(asked: Question) -> Side | None:
    """Return the log-density of the dropped part that the ldj claims, normalised."""
    side, exact = asked.side, asked.side.exact
    jacobian, reported = exact.jacobian, side.said.ldj
    if jacobian is None or reported is None or jacobian.shape[1] >= jacobian.shape[2]:
        return None
    if not bool(torch.isfinite(jacobian).all()):
        return None
    if asked.is_back and asked.other.exact.instead == "volume":
        return None  # what it drops is what the way there has put beside
    dropped = _dropped(jacobian)
    if dropped is None:
        return None
    if says_nothing(reported, asked.side.dims, asked.side.said.dtype):
        zero = torch.zeros_like(reported)
        nothing = replace(exact, ldj=zero, allowed=zero + _ROUNDING, instead="nothing")
        return replace(side, exact=nothing)
    count = int(dropped.sum())
    try:
        total = (
            _log_integral(asked.runner, side, dropped)
            if count <= MOST_DROPPED
            else None
        )
    except FailedCallError:
        return side
    if total is None:
        return replace(side, exact=replace(exact, instead="split"))
    lost = 8.0 * torch.finfo(torch.float64).eps * reported.abs()
    ldj = reported - torch.where(total < _NO_END, total, torch.inf)
    allowed = count * (_PER_DIM + lost)
    return replace(
        side, exact=replace(exact, ldj=ldj, allowed=allowed, instead="split")
    )


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
        moved[:, index] += 0.4 + 0.06 * (index % 5)
        step = change(moved[:, index : index + 1])
        if of_dim is None or step is None:
            return None
        total, parts = total + of_dim, parts + step[:, 0]
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
