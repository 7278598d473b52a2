"""The order of the experiments, and what they make of a layer together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ldjcheck.experiments import (
    branches,
    conduct,
    convergence,
    float32_parity,
    folds,
    gradient,
    orientation,
    uninitialised_memory,
)
from ldjcheck.experiments.perturbation import as_far_as_borne
from ldjcheck.oracle.approximation import approximated
from ldjcheck.oracle.direction import are_all_apart
from ldjcheck.oracle.oracles.other_dims import with_stand_ins
from ldjcheck.records import Approximated, Evidence, OneSided

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ldjcheck.experiments.experiment import Experiment
    from ldjcheck.records import Observation, Probe
    from ldjcheck.running.bench import Bench

OF_VALUES: tuple[Experiment, ...] = (
    uninitialised_memory.EXPERIMENT,
    convergence.EXPERIMENT,
)
"""What the numbers are hangs on these."""

OF_CALLS: tuple[Experiment, ...] = (
    float32_parity.EXPERIMENT,
    conduct.EXPERIMENT,
    gradient.EXPERIMENT,
    orientation.EXPERIMENT,
    branches.EXPERIMENT,
    folds.EXPERIMENT,
)
"""What is asked once the numbers are known."""

EXPERIMENTS: tuple[Experiment, ...] = (*OF_VALUES, *OF_CALLS)
"""All of them, each behind those whose observations it reads."""

OF_KNOWN_LAYERS = (gradient.EXPERIMENT,)
"""What is left to ask of a layer that is known, and is called in another way."""

OF_EDITED_LAYERS = (
    float32_parity.EXPERIMENT,
    gradient.EXPERIMENT,
    orientation.EXPERIMENT,
)
"""The same of one whose code was edited: what earlier calls leave behind is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was measured and observed, and how it was come by."""

    evidence: Evidence
    said: Mapping[str, str]

    @property
    def one_sided(self) -> str | None:
        """Why other weights remain unproven."""
        return self.said.get("orthogonal")


def examined(
    bench: Bench, probes: tuple[Probe, ...], experiments: tuple[Experiment, ...]
) -> Examined:
    """Return what both directions say and what is true, and what experiments observe.

    Those of the values come first in any case. All others are asked at the first probe.
    """
    borne = as_far_as_borne(bench, probes)
    bench = borne.bench
    evidence = Evidence(probes=borne.probes, sides=borne.sides)
    evidence = observed(bench, evidence, OF_VALUES)
    evidence = replace(evidence, sides=with_stand_ins(bench, evidence.sides))
    if experiments is not OF_KNOWN_LAYERS and bench.behaviour:
        bench = replace(bench, apart=bench.apart or are_all_apart(evidence.sides))
    evidence = observed(bench, evidence, experiments)
    return Examined(evidence=evidence, said={**borne.said, **_said(evidence)})


def observed(
    bench: Bench, evidence: Evidence, experiments: tuple[Experiment, ...]
) -> Evidence:
    """Return the evidence with what experiments observe, one after the other."""
    for experiment in experiments:
        for observation in experiment.run(bench, evidence):
            evidence = _joined(evidence, observation)
    return evidence


def _joined(evidence: Evidence, observation: Observation) -> Evidence:
    """Return the evidence with an observation, and what the oracles know by it."""
    if isinstance(observation, Approximated):
        direction = observation.direction
        sides = tuple(
            each.changed(approximated(each.of(direction))) for each in evidence.sides
        )
        evidence = replace(evidence, sides=sides)
    return evidence.joined_by(observation)


def _said(evidence: Evidence) -> dict[str, str]:
    """Return what the report says of how the numbers were come by."""
    said = {
        f"approximation {each.direction}": (
            f"the difference goes to zero as {each.numbers} takes finer steps: no mistake"
        )
        for each in evidence.of(Approximated)
    }
    turned = evidence.of(OneSided)
    return {**said, "orientation": turned[0].why} if turned else said
