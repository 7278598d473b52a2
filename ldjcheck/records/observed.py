"""What experiments observe of a layer, beside what it says and what is true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from ldjcheck.records.gradient import GradientMeasured

if TYPE_CHECKING:
    from ldjcheck.records.behaved import Behaviour
    from ldjcheck.records.probe import Probe
    from ldjcheck.records.side import Sides
    from ldjcheck.records.words import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """How the calls of one direction behave at the first probe, by all that is known now."""

    direction: Direction
    behaviour: Behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class Approximated:
    """The numbers of a direction come together as those that are named take finer steps."""

    direction: Direction
    numbers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Further:
    """Both directions at one more probe, which shows what no other does."""

    by: str  # the experiment
    sides: Sides


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSided:
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


Observation = Noticed | Approximated | Further | OneSided | GradientMeasured

Kind = TypeVar("Kind", Noticed, Approximated, Further, OneSided, GradientMeasured)


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

    def joined_by(self, observation: Observation) -> Evidence:
        """Return it with one more observation."""
        return replace(self, observations=(*self.observations, observation))

    @property
    def first(self) -> Sides:
        """The first probe, with all that was noticed there."""
        first = self.sides[0]
        for noticed in self.of(Noticed):
            side = first.of(noticed.direction)
            first = first.changed(replace(side, behaviour=noticed.behaviour))
        return first

    @property
    def at_probes(self) -> tuple[Sides, ...]:
        """What was measured at the probes, with what was noticed at the first."""
        return (self.first, *self.sides[1:])

    @property
    def measured(self) -> tuple[Sides, ...]:
        """The same, and what was measured at further probes."""
        further = (each.sides for each in self.of(Further))
        return (*self.at_probes, *further)
