"""A subject measured, and judged by what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ldjcheck.holdings import frozen_parameters
from ldjcheck.judging import compare
from ldjcheck.judging.status import said_of_runs
from ldjcheck.records import Comparison, Evidence, Measurement, Sides
from ldjcheck.settling.subject import Subject


def first_look(subject: Subject) -> Comparison:
    """Return how the values agree at the first configuration, and nothing more."""
    *_, look = first_looks(moved_while_smooth(subject))
    return look


def first_looks(subject: Subject) -> Iterator[Comparison]:
    """Yield how the values of the way there agree, then those of both ways."""
    from ldjcheck.oracle.oracles.both_directions import measured_in_turn

    probe, *others = subject.probes()
    for sides in measured_in_turn(subject.bench, probe):
        measurement = Measurement(
            layer=subject.layer,
            calls=subject.bench.calls,
            options=subject.asked,
            evidence=Evidence(probes=(probe,), sides=(sides,)),
            has_parameters=subject.has_parameters,
            inferred=subject.inferred,
            float32_only=subject.float32_only,
            not_done=(
                f"{len(others)} of {len(others) + 1} configurations",
                "experiments",
            ),
        )
        said = said_of_runs(measurement)
        yield compare(replace(measurement, inferred={**subject.inferred, **said}))


def measured(
    subject: Subject,
    *,
    values_alone: bool = False,
    first: Sides | None = None,
) -> Measurement:
    """Return what running a layer shows; its values alone are enough of a known one.

    `first` is what the first configuration shows, if that is known.
    """
    from ldjcheck.experiments.order import OF_CALLS, OF_KNOWN_LAYERS, examined

    experiments = OF_KNOWN_LAYERS if values_alone else OF_CALLS
    found = examined(subject.bench, subject.probes(), experiments, first)
    sides = found.evidence.measured
    measurement = Measurement(
        layer=subject.layer,
        calls=subject.bench.calls,
        # what is measured later is moved no further than the layer bears
        options=replace(subject.asked, params_scale=sides[0].probe.scale),
        evidence=found.evidence,
        unasked=subject.unasked,
        fed=subject.bench.options.context,
        has_parameters=subject.has_parameters,
        frozen=frozen_parameters(subject.layer.obj),
        inferred={**subject.inferred, **found.said},
        float32_only=subject.float32_only,
        one_sided=found.one_sided,
        not_done=found.not_done,
    )
    said = said_of_runs(measurement)
    return replace(measurement, inferred={**measurement.inferred, **said})


def compared(
    subject: Subject,
    *,
    values_alone: bool = False,
    first: Sides | None = None,
) -> Comparison:
    """Return how what a layer says agrees with what is true of it."""
    found = measured(subject, values_alone=values_alone, first=first)
    return compare(found)


def moved_while_smooth(subject: Subject) -> Subject:
    """Return the same, parameters moved no further than its numbers mean something."""
    from ldjcheck.experiments.perturbation import smooth_scale

    borne = smooth_scale(subject.bench, subject.probes())
    if borne is None:
        return subject
    scale, why = borne
    moved = f"moved by {scale:.2g}: moved by {subject.asked.params_scale:g}, {why}"
    inferred = {**subject.inferred, "parameters": moved}
    asked = replace(subject.asked, params_scale=scale)
    return replace(subject, asked=asked, inferred=inferred)
