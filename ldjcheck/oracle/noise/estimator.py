"""Stochastic estimators of the ldj: random numbers that are right on average.

A trace or a power series is often estimated with random vectors (Hutchinson, Chen et al.
2019). Then y is the same at every call and r is not: r is judged by its mean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.records import Direction
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Outcome, Runner

_LEAST, _MOST = 32, 384  # calls at one configuration
_OPERATIONS = 100_000  # of torch, over all calls at one configuration
_SHARP = 24.0  # standard errors that the largest value should be worth


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean and its standard error, `(batch,)` in nats, over so many calls."""

    mean: Tensor
    error: Tensor
    calls: int


def estimate_of(
    runner: Runner, direction: Direction, x: Tensor, frozen: Frozen, base: Outcome
) -> Estimate | None:
    """Return the mean of an ldj that is random while y is not; None for all others."""
    if not frozen.draws or base.reported is None:
        return None
    again = replace(runner, seed=runner.seed + 1).run(direction, x, Frozen())
    if again.reported is None or again.y.shape != base.y.shape:
        return None
    if not torch.allclose(base.y, again.y, rtol=1e-12, atol=1e-12):
        return None
    if torch.allclose(base.reported, again.reported, rtol=1e-9, atol=1e-9):
        return None
    values = [base.reported.detach(), again.reported.detach()]
    most = max(_LEAST, min(_MOST, _OPERATIONS // max(1, base.operations)))
    while len(values) < most:
        seed = runner.seed + len(values)
        next_one = replace(runner, seed=seed).run(direction, x, Frozen()).reported
        if next_one is None:
            return None
        values.append(next_one.detach())
        if len(values) % _LEAST == 0:
            found = _mean_of(values)
            if bool((found.mean.abs() >= _SHARP * found.error).any()):
                break
    return _mean_of(values)


def _mean_of(values: list[Tensor]) -> Estimate:
    every = torch.stack(values).double().cpu()
    error = every.std(dim=0) / len(values) ** 0.5
    return Estimate(mean=every.mean(dim=0), error=error, calls=len(values))
