"""Randomness that is no noise of the map: a dropout, a mask drawn anew at each call."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ldjcheck.numerics.closeness import same
from ldjcheck.numerics.numerical_rank import is_clearly_regular
from ldjcheck.numerics.tolerance import is_once_more
from ldjcheck.records import Direction, Options, Side
from ldjcheck.records.called import Unrepeatable
from ldjcheck.running.behaviour import SAME, difference
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.side_effects import Watch
from ldjcheck.running.runner import Outcome, Runner
from ldjcheck.running.snapshot.isolation import set_mode

_ADDED = 1e-9  # relative
_SEEDS = 24  # by which a dropout of one entry in ten, of four, is missed once in 20,000


def reseeded(runner: Runner, side: Side, options: Options) -> Unrepeatable | None:
    """Return what another random state changes, unless it is noise that the map transforms.

    Dequantization draws noise, and its map is one of that noise. An estimator draws too,
    for the ldj alone, which then scatters about the exact value. A dropout is neither: it
    makes another map of each call, and the way back cannot know which.
    """
    try:
        found = _Draws(runner, side).found(counted=options.wrt != "auto")
        if found is None or options.mode != "train":
            return found
        set_mode(runner.layer, "eval")
        calm = _Draws(runner, side).found(counted=options.wrt != "auto") is None
    except FailedCallError:
        return None
    finally:
        set_mode(runner.layer, options.mode)
    return replace(found, by_mode=calm)


@dataclass
class _Draws:
    """One call made again with other random states."""

    runner: Runner
    side: Side

    def found(self, *, counted: bool) -> Unrepeatable | None:
        frozen, watch = Frozen(), Watch()
        base = self._run(self.runner, frozen, watch)
        for seed in range(1, _SEEDS):
            # Only what the guard does not hold still can differ now, such as a dropout.
            other = replace(self.runner, seed=self.runner.seed + seed)
            moved = self._run(other, frozen.copied())
            what = self._moved(base, moved)
            if what is not None or not watch.drops:
                break  # else a few entries may have been dropped alike
        if what == "output" and (watch.drops or not self._same(base, moved)):
            return self._unrepeatable(what, base, moved, watch)
        if what == "ldj" and watch.drops:
            return self._unrepeatable(what, base, moved, watch)
        if counted or not base.draws or self.side.exact.wrt == "noise":
            return None
        if self.side.direction == "inverse" and self.runner.calls.departures:
            return None  # it draws what left the flow on the way there
        if base.y.numel() != self.side.x.numel():
            return None
        moved = self._run(other, Frozen())
        if self._moved(base, moved) != "output":
            return None
        near = self._run(self.runner, _nearby(frozen))
        in_steps = is_once_more(base.y, near.y)
        bends = in_steps or self._bends(base, near, frozen)
        if in_steps or (bends and not self._is_added(near.y - base.y, frozen)):
            return self._unrepeatable("output", base, moved, watch)
        return None

    def _run(
        self,
        runner: Runner,
        frozen: Frozen,
        watch: Watch | None = None,
        x: Tensor | None = None,
    ) -> Outcome:
        way: Direction = self.side.direction
        at = self.side.x if x is None else x
        return runner.run(way, at, frozen, Manner(writes=watch))

    def _is_added(self, change: Tensor, frozen: Frozen) -> bool:
        """Return whether a draw changes the output alike wherever the input is.

        Noise that is added to f(x), as in a step of a diffusion, leaves its volume alone.
        """
        there = self.side.x.flip(0)
        near = self._run(self.runner, _nearby(frozen), x=there)
        held = self._run(self.runner, frozen.copied(), x=there)
        return same(near.y - held.y, change, _ADDED)

    def _moved(self, a: Outcome, b: Outcome) -> Literal["output", "ldj"] | None:
        if not same(a.y, b.y, self._tolerance):
            return "output"
        return None if self._same(a, b) else "ldj"

    def _same(self, a: Outcome, b: Outcome) -> bool:
        """Return whether the ldj is the same: then both maps have one volume."""
        return same(a.reported, b.reported, self._tolerance)

    @property
    def _tolerance(self) -> float:
        return 100.0 * SAME[self.side.said.dtype]

    def _bends(self, base: Outcome, near: Outcome, frozen: Frozen) -> bool:
        """Return whether the draw makes another map, instead of moving its input.

        Noise n that is added on the way in, y = g(x + n), does what another x would have
        done: the x that leads to the same output then has the same ldj as well.
        """
        jacobian = self.side.exact.jacobian
        if jacobian is None or not self.side.exact.is_square:
            return False
        if base.reported is None or near.reported is None:
            return False
        change = (near.y - base.y).detach().reshape(len(self.side.x), -1).double()
        off = (near.reported - base.reported).detach().double()
        if not all(map(is_clearly_regular, jacobian)):
            return False  # no x leads there, or rounding decides which
        step = torch.linalg.solve(jacobian, change.unsqueeze(2)).squeeze(2)
        x = self.side.x + step.reshape(self.side.x.shape).to(self.side.x)
        there = self._run(self.runner, frozen.copied(), x=x)
        if there.reported is None:
            return False
        left = (there.reported - near.reported).detach().double()
        return bool(left.abs().max() > 0.1 * off.abs().max() + 1e-9)

    def _unrepeatable(
        self, what: Literal["output", "ldj"], a: Outcome, b: Outcome, watch: Watch
    ) -> Unrepeatable:
        change = difference(a.y, b.y)
        if what == "ldj":
            change = difference(a.reported, b.reported)
        return Unrepeatable(
            what=what, change=change, reseeded=True, location=watch.drop
        )


def _nearby(frozen: Frozen) -> Frozen:
    """Return draws that are a little different.

    A mask that is drawn by comparing does not follow: its output moves in steps.
    """
    return frozen.copied(
        d * (1 - 1e-4) + 1e-5 if d.is_floating_point() else d for d in frozen.draws
    )
