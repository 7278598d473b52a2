"""The order of a check: settle, measure, judge, explain, mend.

This is the only module that knows it. What passes is asked once more, called in other ways.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.explaining.diagnoses import diagnoses_of
from ldjcheck.explaining.sublayers import with_sublayers
from ldjcheck.faults import failed_result, fault_of_layer, meant_otherwise
from ldjcheck.judging.measurement import compared, measured
from ldjcheck.judging.own_size import at_its_own_size
from ldjcheck.judging.splits import Split, with_splits
from ldjcheck.judging.status import (
    forgiven,
    kind_of,
    said_of_comparison,
    silenced,
    stale,
    status_of,
    with_shares,
)
from ldjcheck.mistakes.naming.circumstances import unused
from ldjcheck.mistakes.naming.findings import RAISED, name_findings, within_sublayer
from ldjcheck.portrait import with_portrait
from ldjcheck.records import (
    Finding,
    Layer,
    Measurement,
    Options,
    Result,
    Shape,
)
from ldjcheck.settling.design import choose_batch
from ldjcheck.settling.flows.recognition import is_flow
from ldjcheck.settling.subject import settle_layer
from ldjcheck.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ldjcheck.records import Comparison, Diagnosis, Kind, Probe, Wrt
    from ldjcheck.settling.subject import Subject
    from ldjcheck.variants import Proposal

    Tell = Callable[[Result], None]

_WRT: dict[str, Wrt] = {"bijection": "input", "dequantization": "noise"}
_FRESH = 7001  # how far the seeds of a verification are from those of the check
EXIT_CODES = {"pass": 0, "fail": 1, "error": 2, "unproven": 3}


def check_layer(
    layer: Layer,
    options: Options,
    started: float | None = None,
    also: tuple[Probe, ...] = (),
    tell: Tell | None = None,
) -> Result:
    """Return the result of one layer; the layer's own faults never raise.

    At `also` nothing is looked for, but what explains and what mends must hold there too.
    `tell` hears of a failing layer as soon as it is known to fail, and once more when it
    is known why: whoever cannot wait for the end has a result all the same.
    """
    from ldjcheck.running.snapshot.isolation import undisturbed, unharmed
    from ldjcheck.running.snapshot.namespace import Namespace

    started = perf_counter() if started is None else started
    torch_before = Namespace()
    if options.wrt == "auto" and options.kind in _WRT:
        options = replace(options, wrt=_WRT[options.kind])
    try:
        with undisturbed(), unharmed(layer.obj):
            subject = settle_layer(layer, options)
            result = _checked(subject, options, also, tell)
            result = _called_otherwise(subject, options, result, tell)
            otherwise = meant_otherwise(subject.layer, result)
            if otherwise is not None:
                raise otherwise
    except CannotCheckError as error:
        result = failed_result(layer.target, error, layer=layer.name)
        result = replace(result, inferred=dict(layer.inferred))
    except MemoryError:
        limit = CannotCheckError(
            "LDJ007",
            "The check ran out of memory.",
            ("Check the layer at a smaller --shape.",),
        )
        result = failed_result(layer.target, limit, layer=layer.name)
    except Exception as error:
        fault = fault_of_layer(layer, error, torch_before)
        if fault is None:
            raise
        result = failed_result(layer.target, fault, layer=layer.name)
    return replace(result, seconds=perf_counter() - started)


def measure_layer(layer: Layer, options: Options) -> Measurement:
    """Return what running a layer shows, before anything is judged.

    Raises:
        CannotCheckError: the layer cannot be called.
    """
    from ldjcheck.running.snapshot.isolation import undisturbed, unharmed

    with undisturbed(), unharmed(layer.obj):
        subject = settle_layer(layer, options)
        return measured(subject, options)


def returned_shapes(
    layer: Layer, options: Options, shape: Shape
) -> tuple[Shape, Shape, Shape] | None:
    """Return the shapes of a batch of events, of its output and of the ldj beside it."""
    from ldjcheck.running.snapshot.isolation import undisturbed, unharmed
    from ldjcheck.settling.settle import returned_shapes

    sized = replace(options, shape=((None, shape),))
    try:
        with undisturbed(), unharmed(layer.obj):
            bench = settle_layer(layer, sized).bench
            batch = choose_batch(options.batch, shape)
            return returned_shapes(replace(bench, batch=batch))
    except CannotCheckError:
        return None


def _checked(
    subject: Subject,
    options: Options,
    also: tuple[Probe, ...] = (),
    tell: Tell | None = None,
) -> Result:
    """Return what a layer that is settled comes to: measured, judged, explained, mended."""
    comparison = compared(subject, options)
    own = at_its_own_size(subject, comparison, options)
    if own is not None:
        return _checked(own, options, also, tell)
    comparison, splits = with_splits(subject, comparison)
    if tell is not None:
        found = _findings(comparison, splits, None)
        _tell_failure(tell, _concluded(comparison, (), found, options))
    subject = _on_the_cpu(subject)
    diagnoses = diagnoses_of(subject, comparison, also)
    diagnoses = with_sublayers(diagnoses, comparison, subject.bench)
    found = _findings(comparison, splits, diagnoses)
    if tell is not None:
        _tell_failure(tell, _concluded(comparison, diagnoses, found, options))
    found = _fixed(found, diagnoses, subject, comparison, also)
    result = _concluded(comparison, diagnoses, found, options)
    return with_portrait(result, subject.bench, comparison)


def _called_otherwise(
    subject: Subject, options: Options, result: Result, tell: Tell | None
) -> Result:
    """Return the result, or what another way of calling the layer brings to light."""
    for variant in VARIANTS:
        if not variant.concerns(result):
            continue
        proposal = variant.proposed(subject, options, result)
        if proposal.options is None or variant.adopted is None:
            result = proposal.result
            continue
        try:
            again = _once_more(subject.layer, proposal, proposal.options, tell)
        except CannotCheckError:
            if not variant.may_fail:
                raise
            continue
        result = variant.adopted(proposal, again)
    return result


def _once_more(
    layer: Layer, proposal: Proposal, options: Options, tell: Tell | None
) -> Result:
    """Return what the layer comes to, called as was proposed."""
    if proposal.values_first is not None:
        values = compared(proposal.values_first, options, values_alone=True)
        found = _concluded(values, (), _findings(values, (), None), options)
        if found.status == "pass":
            return found
    return _checked(settle_layer(layer, options), options, tell=tell)


def _findings(
    comparison: Comparison,
    splits: tuple[Split, ...],
    diagnoses: tuple[Diagnosis, ...] | None,
) -> tuple[Finding, ...]:
    """Return what is named of the splits, and of the layer."""
    of_splits = (
        within_sublayer(finding, split.departure.name)
        for split in splits
        for finding in name_findings(split.comparison)
        if finding.severity not in ("note", "warning") and finding.code != RAISED
    )
    return *of_splits, *name_findings(comparison, diagnoses)


def _tell_failure(tell: Tell, result: Result) -> None:
    if result.status == "fail":
        tell(result)


def _concluded(
    comparison: Comparison,
    diagnoses: tuple[Diagnosis, ...],
    findings: tuple[Finding, ...],
    options: Options,
) -> Result:
    """Return what all that was found comes to."""
    measurement = comparison.measurement
    layer = measurement.layer
    comparison = forgiven(comparison, findings)
    _, hidden = silenced(findings, options)
    unneeded = (unused(suppression) for suppression in stale(hidden, options))
    findings, ignored = silenced((*findings, *unneeded), options)
    return Result(
        target=layer.target,
        layer=layer.name,
        status=status_of(findings, comparison, options, ignored),
        convention=measurement.calls.convention,
        kind=_kind(layer, comparison),
        inferred={
            **said_of_comparison(comparison),
            **measurement.inferred,
            **dict(layer.inferred),
        },
        checks=tuple(with_shares(c, diagnoses) for c in comparison.checks),
        sublayers=tuple(line for each in diagnoses for line in each.sublayers),
        ledger=tuple(line for diagnosis in diagnoses for line in diagnosis.ledger),
        findings=findings,
        ignored=ignored,
    )


def _kind(layer: Layer, comparison: Comparison) -> Kind:
    kind = kind_of(comparison)
    told = comparison.measurement.options.kind != "auto"
    return "flow" if kind == "bijection" and not told and is_flow(layer.obj) else kind


def _on_the_cpu(subject: Subject) -> Subject:
    """Return the subject for all that follows the measurement: a mistake is the same there."""
    bench = subject.bench
    if bench.options.device is None:
        return subject
    options = replace(bench.options, device=None)
    return replace(subject, bench=replace(bench, options=options))


def _fixed(
    findings: tuple[Finding, ...],
    diagnoses: tuple[Diagnosis, ...],
    subject: Subject,
    comparison: Comparison,
    also: tuple[Probe, ...],
) -> tuple[Finding, ...]:
    """Return the findings with the edits that mend them.

    An edit is verified at configurations of other seeds than all that was measured.
    """
    if not any(finding.severity == "error" for finding in findings):
        return findings
    if subject.bench.calls.departures:
        return findings  # what a split says is taken off: any density would agree
    from ldjcheck.derivation.amending import with_derived_terms
    from ldjcheck.derivation.undoing import with_steps_not_undone
    from ldjcheck.mistakes.mending import Plans, with_fixes

    bench, options = subject.bench, comparison.measurement.options
    fresh = replace(options, seed=options.seed + _FRESH)
    plan, more = subject.probes(fresh), subject.further_probes(fresh)
    seen = {probe.shape for probe in plan} - {bench.shape}
    # How far parameters are moved is varied to tell mistakes apart, not to find them.
    usual = (c for c in more if c.scale == options.params_scale and not c.nudged)
    further = (c for c in usual if c.shape not in seen)
    beyond = (
        m.probe
        for m in comparison.measurement.measured
        if m.probe.reach > 1.0 or m.probe.scale > options.params_scale
    )
    values = *plan[1:], *further, *beyond, *also
    plans = Plans(closely=plan[:1], by_value=values)
    findings = with_fixes(findings, diagnoses, comparison, bench, plans)
    findings = with_derived_terms(findings, diagnoses, comparison, bench, plans)
    return with_steps_not_undone(findings, comparison, bench, plans)
