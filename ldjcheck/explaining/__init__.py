"""What explains each direction that disagrees: recorded, and taken apart."""

from dataclasses import replace

from ldjcheck.judging.measurement import compared
from ldjcheck.records import (
    Comparison,
    Diagnosis,
    Direction,
    Layer,
    Options,
    Probe,
    Verdict,
)
from ldjcheck.records.observed import Stepped
from ldjcheck.settling.design import plan_as_built
from ldjcheck.settling.subject import Subject, settle_layer
from ldjcheck.tape import Trace


def diagnoses_of(
    subject: Subject, comparison: Comparison, also: tuple[Probe, ...] = ()
) -> tuple[Diagnosis, ...]:
    """Return what explains each direction that disagrees.

    Only then is the layer recorded, and at further configurations.
    """
    from ldjcheck.mistakes.diagnosis import diagnose_estimate, trace_ledger
    from ldjcheck.mistakes.diagnosis.investigation import record_directions

    wrong = [
        v.direction
        for v in comparison.verdicts
        if (v.mismatched or v.form is not None) and v.usable and not _is_estimate(v)
    ]
    guessed = tuple(
        diagnose_estimate(v)
        for v in comparison.verdicts
        if v.mismatched and _is_estimate(v)
    )
    bench, measurement = subject.bench, comparison.measurement
    if not wrong and (guessed or not measurement.options.ledger):
        return guessed
    if not wrong:
        right = [v.direction for v in comparison.verdicts if v.usable]
        first = measurement.measured[:1]
        traced = record_directions(bench, right, first)
        return tuple(trace_ledger(traces[0]) for traces in traced if traces)
    more = replace(subject, asked=measurement.options).further_probes()
    stepped, further = measurement.evidence.of(Stepped), (*more, *also)
    if stepped:  # by how much, was seen of usual ones
        usual = measurement.options.params_scale
        more = tuple(probe for probe in more if probe.scale <= usual)
        further = () if any(each.traces for each in stepped) else (*more, *also)
    traced = record_directions(bench, wrong, measurement.measured, further)
    found: list[Diagnosis] = []
    for traces in filter(None, traced):
        before = found[-1] if found else None
        found.append(_diagnosed(traces, subject, more[0], before))
    return *guessed, *found


def _diagnosed(
    traces: tuple[Trace, ...], subject: Subject, probe: Probe, other: Diagnosis | None
) -> Diagnosis:
    """Return what explains a direction; what nothing does is asked once more, as built."""
    from ldjcheck.mistakes.diagnosis import (
        diagnose_traces,
        explained_as_built,
        is_unexplained,
    )
    from ldjcheck.mistakes.diagnosis.investigation import record_directions

    deadline = subject.bench.options.timeout
    diagnosis = diagnose_traces(traces, deadline=deadline, other=other)
    as_built = plan_as_built(probe)
    if not as_built or not is_unexplained(diagnosis):
        return diagnosis
    (built,) = record_directions(subject.bench, [diagnosis.direction], (), as_built)
    return explained_as_built(diagnosis, traces, built)


def _is_estimate(verdict: Verdict) -> bool:
    said = [side.said for _, side, _ in verdict.usable]
    return any(each.estimated and not each.expected for each in said)


def diagnosed_alone(
    layer: Layer, options: Options, direction: Direction
) -> Diagnosis | None:
    """Return what is wrong with a sublayer by itself, or None where nothing is."""
    subject = settle_layer(layer, options)
    comparison = compared(subject, values_alone=True)
    diagnoses = diagnoses_of(subject, comparison)
    return next((d for d in diagnoses if d.direction == direction), None)
