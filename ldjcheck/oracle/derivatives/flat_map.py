"""A layer's direction as a plain map of flat tensors, in one reading of its code."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import is_once_more
from ldjcheck.oracle.derivatives.jacobian import exact_jacobian
from ldjcheck.records import Direction, Shape
from ldjcheck.records.asked import Oracle
from ldjcheck.records.words import Method
from ldjcheck.running.guard import Frozen
from ldjcheck.running.manner import PLAIN, Manner
from ldjcheck.running.runner import Outcome, Runner
from ldjcheck.tracebacks import message_of

_PLAINLY = (PLAIN, Manner(see_detach=True))
_ROUNDED = tuple(replace(manner, see_rounding=True) for manner in _PLAINLY)


def manners_of(y: Tensor) -> tuple[Manner, ...]:
    """Return what may be seen through in a map that gave y, the plainest first."""
    return _PLAINLY + (_ROUNDED if has_whole_numbers(y) else ())


def has_whole_numbers(y: Tensor) -> bool:
    """Return whether an output holds whole numbers only: it may have been rounded."""
    return not y.is_floating_point() or bool((y == y.round()).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenMap:
    """One direction at one input, with all noise and rounding held fixed.

    Called with a flat `(batch, dims)` tensor it returns the flat output. What varies is
    the input, or draw number `noise` when that is given; the rest stays as it was.
    """

    runner: Runner
    direction: Direction
    x: Tensor  # (batch, *event)
    frozen: Frozen
    manner: Manner = PLAIN  # what is seen through; the report says it
    noise: int | None = None
    apart: bool = False  # samples are known not to influence each other
    work: float | None = None  # of one call, where it is known

    @property
    def origin(self) -> Tensor:
        """The flat point at which the map is studied."""
        at = self.x if self.noise is None else self.frozen.draws[self.noise]
        return at.detach().reshape(len(self.x), -1)

    def __call__(self, flat: Tensor) -> Tensor:
        """Return y, flat, for another input or another draw."""
        y = self.outcome(flat).y
        if not y.is_floating_point():
            y = y.to(self.x.dtype if self.x.is_floating_point() else torch.float64)
        if y.dim() and len(y) == len(self.x):
            return y.reshape(len(self.x), -1)
        return y.reshape(1, -1)

    def jacobian(self, flat: Tensor) -> tuple[Tensor, float | None, Method]:
        """Return J, the coupling of samples and the method, as `exact_jacobian` does.

        The user's own oracle, where one is given, says nothing about the coupling.

        Raises:
            NoJacobianError: automatic differentiation does not go through the map.
            ValueError: the user's oracle raised, or returned something else.
        """
        oracle = self.runner.oracle
        if oracle is None:
            return exact_jacobian(self, flat, apart=self.apart, work=self.work)
        return self._given(oracle, flat), None, "given"

    def _given(self, oracle: Oracle, flat: Tensor) -> Tensor:
        by_map = list[BaseException]()

        def f(x: Tensor) -> Tensor:
            try:
                return self(x)
            except Exception as error:
                by_map.append(error)
                raise

        try:
            found = oracle(f, flat)
        except Exception as error:
            if any(error is each for each in by_map):  # it is told as the layer's
                raise
            said = f"{type(error).__name__}: {message_of(error)}"
            raise ValueError(f"the Jacobian's own function raised {said}") from error
        if not isinstance(found, Tensor):
            raise ValueError(
                f"the Jacobian that is given is a {type(found).__name__}, not a tensor"
            )
        if found.dim() != 3 or found.shape[::2] != flat.shape:
            raise ValueError(
                f"the Jacobian that is given has shape {tuple(found.shape)}, not "
                f"(batch, dims_out, dims_in) = ({len(flat)}, dims_out, {flat.shape[1]})"
            )
        return found.detach()

    def outcome(self, flat: Tensor) -> Outcome:
        """Return all that the layer hands back at this point."""
        frozen, x = self.frozen, self.x
        if self.noise is None:
            x = flat.reshape(self.x.shape)
        else:
            shape: Shape = tuple(frozen.draws[self.noise].shape)
            draws = list(frozen.draws)
            draws[self.noise] = flat.reshape(shape)
            frozen = Frozen(draws, frozen.offsets, frozen.idle_clips)
        return self.runner.run(self.direction, x, frozen, self.manner)


def draw_of_map(plain: FrozenMap, y: Tensor) -> int | None:
    """Return which random draw enters the output y as an input of the map, or None."""
    batch = len(plain.x)
    dims = y.numel() // batch
    for index, drawn in enumerate(list(plain.frozen.draws)):
        if not drawn.is_floating_point() or not drawn.dim() or len(drawn) != batch:
            continue
        if drawn.numel() != dims * batch:
            continue
        map_ = replace(plain, noise=index)
        nudged = map_(map_.origin * (1 - 1e-3) + 1e-4)
        if not is_once_more(nudged, map_(map_.origin)):
            return index
    return None
