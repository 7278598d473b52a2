"""Another processor, made here: the last bits of all numbers that rounding has made.

Kernels that add up in another order, or round once where others round twice, give numbers
that differ by a few units in the last place. Here every number that a layer returns, and
every entry of its Jacobian, is off by one to four, by another amount at each call.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch
from torch import Tensor

from ldjcheck.oracle import recording
from ldjcheck.oracle.derivatives.autograd import FrozenMap
from ldjcheck.running.runner import Outcome, Runner

if TYPE_CHECKING:
    from collections.abc import Iterator

ULPS = 4
RESTS = 64  # units of one nat: a sum that is less is what rounding left of terms


@contextlib.contextmanager
def other_last_bits(seed: int) -> Iterator[None]:
    """Change the last bits of what layers return and of Jacobians, for a while."""
    generator = torch.Generator().manual_seed(seed)
    run, unwatched, jacobian = Runner.run, Runner.unwatched, FrozenMap.jacobian
    record = recording._recorded

    def other_run(self: Runner, *args: Any, **options: Any) -> Outcome:
        outcome = run(self, *args, **options)
        return replace(
            outcome,
            y=other(outcome.y, generator),
            reported=other_sum(outcome.reported, generator),
            shares=other(outcome.shares, generator),
        )

    def other_unwatched(self: Runner, *args: Any) -> Tensor | None:
        return other_sum(unwatched(self, *args), generator)

    def recorded(*args: Any) -> Any:
        """Record as ever: it is asked which operation made this very tensor."""
        with mock.patch.object(Runner, "run", run):
            return record(*args)

    def other_jacobian(self: FrozenMap, flat: Tensor) -> Any:
        found, coupling, method = jacobian(self, flat)
        return other(found, generator), coupling, method

    with (
        mock.patch.object(Runner, "run", other_run),
        mock.patch.object(Runner, "unwatched", other_unwatched),
        mock.patch.object(FrozenMap, "jacobian", other_jacobian),
        mock.patch.object(recording, "_recorded", recorded),
    ):
        yield


def other(value: Any, generator: torch.Generator) -> Any:
    """Return a tensor whose entries are off by one to four units in the last place.

    What has few digits, such as 1, 0.5 or a whole number, was not made by rounding.
    """
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    exact = (value.detach().double() * 4096.0).frac() == 0.0
    units = torch.where(exact, 0, _units(value, generator)).to(value)
    return value * (1.0 + units * torch.finfo(value.dtype).eps)


def other_sum(value: Any, generator: torch.Generator) -> Any:
    """Return a sum with other last bits: what cancelled leaves something else, or nothing."""
    changed = other(value, generator)
    if not isinstance(changed, Tensor) or not changed.is_floating_point():
        return changed
    unit = torch.finfo(changed.dtype).eps
    sign = _units(changed, generator)
    rest = (changed != 0.0) & (changed.detach().abs() < RESTS * unit)
    left = unit * (sign - sign.sign()).to(changed)
    return torch.where(rest, left, changed)


def _units(value: Tensor, generator: torch.Generator) -> Tensor:
    """Return one to four units, up or down."""
    size = torch.randint(1, ULPS + 1, value.shape, generator=generator)
    return size * (2 * torch.randint(0, 2, value.shape, generator=generator) - 1)
