"""The order of the experiments, and what they make of a layer together."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from ldjcheck.experiments import (
    Experiment,
    branches,
    convergence,
    float32_parity,
    folds,
    gradient,
    orientation,
)
from ldjcheck.experiments.behaviour import call_effects, uninitialised_memory
from ldjcheck.experiments.perturbation import Borne, as_far_as_borne, is_wrong
from ldjcheck.numerics.tolerance import tells_a_mistake
from ldjcheck.oracle.direction import approximated, are_all_apart, left_open
from ldjcheck.oracle.noise import read_alike
from ldjcheck.oracle.oracles.other_dims import with_stand_ins
from ldjcheck.records import Approximated, Evidence, Probe, Sides, TimeIsUpError
from ldjcheck.records.asked import OBSERVING
from ldjcheck.records.observed import Observation, OneSided, Stepped
from ldjcheck.running.bench import Bench

OF_VALUES: tuple[Experiment, ...] = (
    uninitialised_memory.EXPERIMENT,
    convergence.EXPERIMENT,
)
"""What the numbers are hangs on these."""

OF_CALLS: tuple[Experiment, ...] = (
    float32_parity.EXPERIMENT,
    call_effects.EXPERIMENT,
    gradient.EXPERIMENT,
    orientation.EXPERIMENT,
    branches.EXPERIMENT,
    folds.EXPERIMENT,
)
"""What is asked once the numbers are known."""


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
    not_done: tuple[str, ...] = ()  # what time did not allow

    @property
    def one_sided(self) -> str | None:
        """Why other weights remain unproven."""
        return self.said.get("orthogonal")


def examined(
    bench: Bench,
    probes: tuple[Probe, ...],
    experiments: tuple[Experiment, ...],
    first: Sides | None = None,
) -> Examined:
    """Return what both directions say and what is true, and what experiments observe.

    Those of the values come first in any case. All others are asked at the first probe.
    `first` is what was measured there, if it was.
    """
    borne = as_far_as_borne(bench, probes, first)
    sides, wrong = read_alike(borne.sides), any(map(_is_grossly_wrong, borne.sides))
    bench = replace(borne.bench, options=bench.options).during(OBSERVING, wrong=wrong)
    usual = sides[
        0
    ].forward  # a split that drops nothing, as half of one entry, is none
    alike = [
        (probe, each)
        for probe, each in zip(borne.probes, sides, strict=False)
        if each.forward.drops == usual.drops or not each.forward.answered
    ]
    probes, sides = zip(*alike, strict=True)
    evidence = Evidence(probes=probes, sides=sides)
    evidence, undone = _observed(bench, evidence, OF_VALUES)
    with suppress(TimeIsUpError):
        evidence = replace(evidence, sides=with_stand_ins(bench, evidence.sides))
    if experiments is not OF_KNOWN_LAYERS and bench.behaviour:
        bench = replace(bench, apart=bench.apart or are_all_apart(evidence.sides))
    evidence, undone_then = _observed(bench, evidence, experiments)
    return Examined(
        evidence=evidence,
        said={**borne.said, **_how_measured(evidence)},
        not_done=tuple(_undone(borne, (*undone, *undone_then))),
    )


def _is_grossly_wrong(measured: Sides) -> bool:
    """Return whether numbers part by what no fine steps explain: else that is asked first."""
    worst = [
        float(side.difference.abs().max()) / tells_a_mistake(side.dims)
        for side in measured.answered
        if side.difference is not None
    ]
    return is_wrong(measured) and not max(worst, default=0.0) < 1


def _undone(borne: Borne, experiments: tuple[str, ...]) -> Iterator[str]:
    """Yield which configurations, and which of the experiments, time did not allow."""
    ways = [any(s.said.unfinished for s in each.both) for each in borne.sides]
    if ways[0]:
        yield "the way back"
    wanted, whole = len(borne.probes), ways.count(False)
    if whole < wanted:
        yield f"{wanted - whole} of {wanted} configurations"
    if experiments:
        yield f"experiments ({', '.join(experiments)})"


def observed(
    bench: Bench, evidence: Evidence, experiments: tuple[Experiment, ...]
) -> Evidence:
    """Return the evidence with what experiments observe, one after the other.

    Raises:
        TimeIsUpError: time did not allow all of them.
    """
    found, not_done = _observed(bench, evidence, experiments)
    if not_done:
        raise TimeIsUpError
    return found


def _observed(
    bench: Bench, evidence: Evidence, experiments: tuple[Experiment, ...]
) -> tuple[Evidence, tuple[str, ...]]:
    """Return the same as far as time allows, and the names of those that it does not."""
    not_done = []
    for experiment in experiments:
        try:
            for observation in experiment.run(bench, evidence):
                evidence = _joined(evidence, observation, exactly=bench.exactly)
        except TimeIsUpError:
            not_done.append(experiment.name)
    return evidence, tuple(not_done)


def _joined(evidence: Evidence, observation: Observation, *, exactly: bool) -> Evidence:
    """Return the evidence with an observation, and what the oracles know by it."""
    if isinstance(observation, Approximated):
        direction = observation.direction
        exactly = exactly or observation.trip_alone
        sides = tuple(
            each.changed(approximated(each.of(direction), exactly=exactly))
            for each in evidence.sides
        )
        evidence = replace(evidence, sides=sides)
    if isinstance(observation, Stepped):
        traces = observation.traces or (None,) * len(evidence.sides)
        sides = tuple(
            each.changed(
                left_open(each.of(observation.direction), observation.slack, by_traces)
            )
            for each, by_traces in zip(evidence.sides, traces, strict=True)
        )
        evidence = replace(evidence, sides=sides)
    return evidence.joined_by(observation)


def _how_measured(evidence: Evidence) -> dict[str, str]:
    """Return what the report says of how the numbers were come by."""
    said = {
        f"approximation {each.direction}": (
            f"an approximation: what is off goes to zero as {each.numbers} takes finer "
            "steps"
        )
        for each in evidence.of(Approximated)
        if not each.trip_alone
    }
    if turned := evidence.of(OneSided):
        said["orientation"] = turned[0].why
    if unmet := evidence.of(branches.Unmet):
        said["bounds"] = unmet[0].why
    return said
