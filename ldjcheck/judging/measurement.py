"""A subject measured and judged by what was measured, and each of its splits by itself.

A flow that splits is checked as a map to all dims, kept and dropped, and without the
log-densities; whether exp(ldj) is a density of what is dropped is asked of the splits alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ldjcheck.calling.outputs import less_one_output
from ldjcheck.errors import CannotCheckError
from ldjcheck.judging import compare
from ldjcheck.judging.status import said_of_runs
from ldjcheck.object_graph import frozen_parameters, paths, reachable
from ldjcheck.records import (
    Comparison,
    Context,
    Evidence,
    FactorOut,
    Layer,
    Measurement,
    Sides,
    Verdict,
)
from ldjcheck.records.words import CheckStatus
from ldjcheck.settling.subject import Subject, settle_layer


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
    subject: Subject, *, values_alone: bool = False, first: Sides | None = None
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
    subject: Subject, *, values_alone: bool = False, first: Sides | None = None
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


# --- splits ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A sublayer at which dims leave a flow, and how it came out by itself."""

    departure: FactorOut
    comparison: Comparison


def with_splits(
    subject: Subject, comparison: Comparison
) -> tuple[Comparison, tuple[Split, ...]]:
    """Return the comparison, and the splits by themselves, where the flow has some.

    A direction is right only where every split is.
    """
    if subject.bench.calls.lacks_density:
        return _without_density(comparison), ()
    splits: list[Split] = []
    for departure in subject.bench.calls.departures:
        if departure.calls is None:
            continue  # torch's distributions are trusted
        alone = _alone(subject, departure, comparison)
        comparison = _at_best(comparison, alone)
        if alone is not None:
            undone = alone.measurement.not_done
            comparison = comparison.lacking(*(f"{departure.name}: {n}" for n in undone))
            splits.append(Split(departure=departure, comparison=alone))
    return comparison, tuple(splits)


def _without_density(comparison: Comparison) -> Comparison:
    """Return the comparison of a model that cuts dims off, and says nothing of them.

    Where its density is that of the kept part and the ldj of x to both, it is constant
    along what is cut off, and no density. Where it is not, nothing is known of it.
    """
    forward = comparison.forward
    is_proved = forward.check.status == "pass"
    check = replace(forward.check, status="fail" if is_proved else "unproven")
    if is_proved:
        return replace(comparison, forward=replace(forward, check=check))
    unknown = Verdict(direction="forward", check=check, unanchored=False)
    return replace(comparison, forward=unknown)


def _alone(
    subject: Subject, departure: FactorOut, comparison: Comparison
) -> Comparison | None:
    """Return how a split came out by itself; None where it cannot be checked."""
    places = {path: index for index, path in paths(subject.layer.obj).items()}
    place = places.get(departure.path)
    held = (item for item in reachable(subject.layer.obj) if id(item) == place)
    owner = next(held, None)
    if owner is None:
        return None
    name = f"{subject.layer.name}{departure.path}"
    options = replace(
        comparison.measurement.options,
        shape=((None, departure.shape),),
        domain=None,
        context=tuple(Context(*each) for each in departure.contexts),
        convention="auto",
        adapter=None,
        inputs=None,  # they are the flow's
        kind="split",
        ledger=False,
    )
    try:
        layer = Layer(target=name, name=name, obj=owner)
        there = settle_layer(layer, options)
        if departure.less is not None:
            calls = less_one_output(there.bench.calls, departure.less)
            calls = replace(calls, inverse=None)  # it is asked for the whole
            there = replace(there, bench=replace(there.bench, calls=calls))
        return compared(there)
    except CannotCheckError:
        return None


def _at_best(comparison: Comparison, split: Comparison | None) -> Comparison:
    """Return the comparison with no check better than the split's own."""
    forward, inverse = comparison.forward, comparison.inverse
    there: CheckStatus = "unproven" if split is None else split.forward.check.status
    back: CheckStatus = "unproven" if split is None else split.inverse.check.status
    if "fail" in (there, back):  # what left is taken off the inverse's ldj as there
        inverse = replace(inverse, mismatched=False)
        inverse = replace(inverse, check=replace(inverse.check, status=back))
    return replace(
        comparison, forward=_lowered(forward, there), inverse=_lowered(inverse, back)
    )


def _lowered(verdict: Verdict, status: CheckStatus) -> Verdict:
    if status not in ("fail", "unproven") or verdict.check.status != "pass":
        return verdict
    return replace(verdict, check=replace(verdict.check, status=status))
