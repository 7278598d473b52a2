"""What experiments observe of a layer, beside what it says and what is true."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from ldjcheck.records.called import Behaviour
from ldjcheck.records.result import Location
from ldjcheck.records.side import Probe, Sides
from ldjcheck.records.words import Direction

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What an experiment has observed of a layer.

    A kind is a frozen dataclass derived from this one. It stands in the file of its
    experiment, or among the records where several rooms make it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed(Observation):
    """How the calls of one direction behave at the first probe, by all that is known now."""

    direction: Direction
    behaviour: Behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class Approximated(Observation):
    """The numbers of a direction come together as those that are named take finer steps.

    Or, of a way back whose ldj is wrong besides, where it leads comes to x: `trip_alone`.
    """

    direction: Direction
    numbers: str
    trip_alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped(Observation):
    """A direction takes steps, which leave what it reports open by so many nats.

    Or, where they are coarse, what a right report of each side comes to: the `traces` of
    its steps, `(batch,)`.
    """

    direction: Direction
    slack: float
    traces: tuple[Tensor | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Further(Observation):
    """Both directions at one more probe, which shows what no other does."""

    by: str  # the experiment
    sides: Sides


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSided(Observation):
    """Orientations at which the ldj is NaN, that training may or may not lead to.

    `starts` says how many builds under other seeds start where it is finite, all that were
    tried; None where the layer cannot be built anew.
    """

    starts: int | None

    @property
    def why(self) -> str:
        """What is to be said of it."""
        if self.starts is None:
            return (
                "where a matrix or number that is learned turns space around, the ldj is "
                "NaN; whether the layer may start so is not known"
            )
        return (
            "where a matrix or number that is learned turns space around, the ldj is NaN; "
            f"built under {self.starts} other seeds, the layer starts so at none"
        )


Kind = TypeVar("Kind", bound=Observation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was measured at the probes, and what experiments have observed so far."""

    probes: tuple[Probe, ...]  # as they were planned
    sides: tuple[Sides, ...]  # there, or nearer by where the layer bears no more
    observations: tuple[Observation, ...] = ()

    def of(self, kind: type[Kind]) -> tuple[Kind, ...]:
        """Return the observations of one kind, in their order."""
        return tuple(each for each in self.observations if isinstance(each, kind))

    def further_by(self, experiment: str) -> tuple[Further, ...]:
        """Return the further probes that one experiment has found."""
        return tuple(each for each in self.of(Further) if each.by == experiment)

    def at(self, sides: Iterable[Sides]) -> Evidence:
        """Return it with what was measured at some probes alone, none of them further."""
        sides = tuple(sides)
        seen = tuple(o for o in self.observations if not isinstance(o, Further))
        probes = tuple(each.probe for each in sides)
        return replace(self, probes=probes, sides=sides, observations=seen)

    def joined_by(self, observation: Observation) -> Evidence:
        """Return it with one more observation; what is noticed stands at the first probe."""
        sides = self.sides
        if isinstance(observation, Noticed):
            side = sides[0].of(observation.direction)
            noticed = replace(side, behaviour=observation.behaviour)
            sides = (sides[0].changed(noticed), *sides[1:])
        seen = (*self.observations, observation)
        return replace(self, sides=sides, observations=seen)

    @property
    def measured(self) -> tuple[Sides, ...]:
        """What was measured at the probes, and at those that experiments have found."""
        return (*self.sides, *(each.sides for each in self.of(Further)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientPart:
    """Two derivatives along one random direction of `x` or of one parameter.

    Both are of a weighted sum over the samples, in nats: `reported` is what autograd says
    of the layer's own ldj, `exact` a central difference of the exact value.
    """

    name: str
    reported: float
    exact: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientMeasured(Observation):
    """How autograd's derivative of the reported ldj compares, in one direction.

    `why` says why it was not judged, `nearer` that this was done with parameters moved
    less, since further out it is no cut that makes the difference. The call `raised` where
    it was given tensors that want a gradient. `cut` is the word at
    `location` that keeps the derivative from passing: `detach`, `no_grad`, `item`,
    `backward`.
    """

    direction: Direction
    why: str | None = None
    raised: bool = False
    nearer: bool = False
    worst: float = 0.0
    allowed: float = 0.0
    wrong: tuple[GradientPart, ...] = ()
    cut: str | None = None
    location: Location | None = None
    map_off: bool = False  # a backward of the user's gives y another derivative
