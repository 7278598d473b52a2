"""Running a layer whose code was edited: at inputs that were measured, and anew."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.experiments import convergence
from ldjcheck.experiments.behaviour import call_effects
from ldjcheck.experiments.order import OF_EDITED_LAYERS, examined, observed
from ldjcheck.mistakes.engine.closeness import FITS
from ldjcheck.numerics.closeness import same
from ldjcheck.oracle.direction import are_all_apart
from ldjcheck.oracle.oracles.both_directions import measure_sides
from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.records import (
    Direction,
    Evidence,
    GradientMeasured,
    Probe,
    Side,
    Sides,
    TimeIsUpError,
)
from ldjcheck.running.bench import Bench
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner
from ldjcheck.tape import Trace

BOTH_WAYS: tuple[Direction, ...] = ("forward", "inverse")
_SLACKS = 4.0
# Times the operations of the call as it is: an edit of what an iteration uses may keep it
# from ever coming to an end.
_PATIENCE = 4
# Entries that an operation works through in the time that it takes to start.
_SMALL = 2000


@dataclass(frozen=True, slots=True)
class _Scene:
    """A layer ready to be run at an input that was measured before."""

    runner: Runner
    side: Side
    exact: Tensor
    allowed: Tensor  # by how much a right report may differ from it
    y: Tensor
    operations: int  # of the call as it was measured
    taken: Tensor | None  # log-densities of what left, which its splits say, `(batch,)`
    made_up: bool  # these were first made to integrate to 1, and are whatever is edited

    @property
    def is_free(self) -> bool:
        """Whether an edit may make the log-density of z another one.

        One that lacks a constant alone, the same for all samples, is what was meant.
        """
        said = self.side.said.ldj
        off = self.exact if said is None else said - self.exact
        return self.made_up and not same(off, off[:1].expand_as(off))

    @property
    def patience(self) -> int:
        """After how many operations an edited call is given up."""
        return _PATIENCE * (100 + self.operations)


class Rehearsal:
    """Runs one direction again, after its code was edited, where it was measured.

    The exact value is known there, and an edit of the ldj's arithmetic leaves the map
    alone: one call tells whether the reported value is the exact one now.
    """

    def __init__(
        self, bench: Bench, measured: Sequence[Sides], direction: Direction
    ) -> None:
        self.direction = direction
        self._scenes = []
        self._left_out = []
        for item in measured:
            scene = self._scene(bench, item)
            if scene is not None:
                self._scenes.append(scene)
            elif _is_wrong(item.of(self.direction)):
                self._left_out.append(item.probe)

    @property
    def sizes(self) -> int:
        """How many event shapes there are among the inputs."""
        return len({scene.side.shape for scene in self._scenes})

    @property
    def has_fixed_axis(self) -> bool:
        """Whether an axis is of one size, and not 1, at all inputs: it may be any number."""
        shapes = {scene.side.shape for scene in self._scenes}
        alike = len({len(shape) for shape in shapes}) == 1
        axes = zip(*shapes, strict=True) if alike else ()
        return any(len(set(sizes)) == 1 and sizes[0] > 1 for sizes in axes)

    @property
    def left_out(self) -> tuple[Probe, ...]:
        """Where the numbers were seen to disagree, and the call cannot be run again."""
        return tuple(self._left_out)

    @property
    def shows_mistake(self) -> bool:
        """Whether the numbers disagree at one input or more, as the code is written.

        Where they do not, any edit that changes nothing there would seem to mend it.
        """
        return any(_is_wrong(scene.side) for scene in self._scenes)

    @property
    def work(self) -> int:
        """How long a call takes, counted in operations of small tensors; 1 at least."""
        scene = self._scenes[0]
        size = 1 + scene.side.x.numel() / _SMALL
        return max(1, round(scene.operations * size))

    def __len__(self) -> int:
        return len(self._scenes)

    def _scene(self, bench: Bench, item: Sides) -> _Scene | None:
        side = item.of(self.direction)
        exact, allowed = side.exact.wanted, side.exact.allowed
        if exact is None or allowed is None or not bool(torch.isfinite(exact).any()):
            return None
        runner, _, _ = bench.ready(item.probe)
        try:
            outcome = runner.run(self.direction, side.x, _noise(side))
        except FailedCallError:
            return None
        y = outcome.y.detach()
        if y.shape != side.y.shape or not same(y, side.y):
            return None  # it cannot be run again as it was measured
        return _Scene(
            runner, side, exact, allowed, y, outcome.operations, outcome.taken,
            outcome.made_up,
        )  # fmt: skip

    def agrees(self) -> bool:
        """Return whether reported is exact now, and the map what it was, everywhere."""
        return bool(self._scenes) and all(map(self._is_right, self._scenes))

    def gap(self, number: int = 0) -> Tensor | None:
        """Return reported - exact at one input, `(batch,)`; None where it cannot be had."""
        if number >= len(self._scenes):
            return None
        scene = self._scenes[number]
        reported = self._reported(scene)
        return None if reported is None else reported - scene.exact

    def _is_right(self, scene: _Scene) -> bool:
        exact, reported = scene.exact, self._reported(scene)
        if reported is None:
            return False
        finite = torch.isfinite(exact)
        # Constants made in float32 leave a right ldj off by a little more.
        known = FITS * (1 + exact.abs()) + _SLACKS * scene.side.exact.slack
        near = (reported - exact).abs() <= torch.maximum(scene.allowed, known)
        return bool(near[finite].all())

    def _reported(self, scene: _Scene) -> Tensor | None:
        try:
            noise, manner = _noise(scene.side), Manner(patience=scene.patience)
            outcome = scene.runner.run(self.direction, scene.side.x, noise, manner)
        except FailedCallError:
            return None
        if outcome.form is not None or outcome.reported is None:
            return None
        if outcome.y.shape != scene.y.shape or not same(outcome.y, scene.y):
            return None
        if not (scene.is_free or _is_taken_alike(outcome.taken, scene.taken)):
            return None  # it is not known whether another log-density is the right one
        return outcome.reported.detach().double().cpu()


def _noise(side: Side) -> Frozen:
    return Frozen(list(side.said.given))


def _is_taken_alike(now: Tensor | None, before: Tensor | None) -> bool:
    if now is None or before is None:
        return now is before
    return now.shape == before.shape and same(now, before)


def _is_wrong(side: Side) -> bool:
    """Return whether reported and exact were seen to disagree, or the form is broken."""
    if side.exact.ldj is None or side.exact.allowed is None:
        return False
    if side.said.form is not None or side.said.ldj is None:
        return True
    return not side.agrees


def trace_of(bench: Bench, sides: Sides, direction: Direction) -> Trace | None:
    """Return the tape of one call, its steps left aside; None where there is none."""
    runner, _, _ = bench.ready(sides.probe)
    try:
        return record(runner, sides.probe, sides.of(direction), steps=False)
    except UntraceableError:
        return None


def values_again(bench: Bench, probes: Sequence[Probe]) -> tuple[Sides, ...]:
    """Return the two numbers at each probe; what steps leave of a right ldj is allowed.

    Raises:
        TimeIsUpError: time did not allow all of it.
    """
    quicker = replace(bench, behaviour=False)
    sides = tuple(measure_sides(quicker, probe) for probe in probes)
    values = Evidence(probes=tuple(probes), sides=sides)
    return observed(bench, values, (convergence.EXPERIMENT,)).sides


def measured_again(
    bench: Bench,
    configs: Sequence[Probe],
    more: Sequence[Probe],
    *,
    over_time: bool = False,
) -> Evidence:
    """Return what is measured of the layer anew, as its code is now.

    At `configs` everything is looked at, what earlier calls leave behind if `over_time`,
    at `more` the two numbers alone.

    Raises:
        TimeIsUpError: time did not allow all of it.
    """
    asked = (
        (*OF_EDITED_LAYERS, call_effects.EXPERIMENT) if over_time else OF_EDITED_LAYERS
    )
    seen = examined(bench, tuple(configs), asked)
    if seen.not_done:
        raise TimeIsUpError
    anew = seen.evidence
    apart = replace(bench, apart=are_all_apart(anew.sides))
    sides = (*anew.measured, *values_again(apart, more))
    probes = tuple(each.probe for each in sides)
    gradients = anew.of(GradientMeasured)
    return Evidence(probes=probes, sides=sides, observations=gradients)
