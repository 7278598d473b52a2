"""The way through: recognise, settle, probe, measure, compare, diagnose, name.

This is the only module that knows the order of the stages.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from ldjcheck import probe
from ldjcheck.checking.besides import asked_besides
from ldjcheck.checking.faults import failed_result, fault_of_layer, meant_otherwise
from ldjcheck.checking.flows import is_flow, with_sublayers
from ldjcheck.checking.one_size import at_its_own_size
from ldjcheck.checking.raised import raised
from ldjcheck.checking.setting import settle_layer
from ldjcheck.checking.splits import with_splits
from ldjcheck.compare import compare
from ldjcheck.compare.judgement import (
    forgiven,
    kind_of,
    said_of_comparison,
    said_of_runs,
    silenced,
    stale,
    status_of,
    with_shares,
)
from ldjcheck.errors import CannotCheckError
from ldjcheck.portrait import with_portrait
from ldjcheck.records import (
    Finding,
    Ignored,
    Layer,
    Measurement,
    Options,
    Result,
    Shape,
)
from ldjcheck.rules import name_findings, rule_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from ldjcheck.checking.setting import Setting
    from ldjcheck.records import (
        Comparison,
        Config,
        Diagnosis,
        Direction,
        Kind,
        Verdict,
        Wrt,
    )
    from ldjcheck.tape import Trace

    Tell = Callable[[Result], None]

_WRT: dict[str, Wrt] = {"bijection": "input", "dequantization": "noise"}
_FRESH = 7001  # how far the seeds of a verification are from those of the check
EXIT_CODES = {"pass": 0, "fail": 1, "error": 2, "unproven": 3}


def check_layer(
    layer: Layer,
    options: Options,
    started: float | None = None,
    also: tuple[Config, ...] = (),
    tell: Tell | None = None,
) -> Result:
    """Return the result of one layer; the layer's own faults never raise.

    At `also` nothing is looked for, but what explains and what mends must hold there too.
    `tell` hears of a failing layer as soon as it is known to fail, and once more when it
    is known why: whoever cannot wait for the end has a result all the same.
    """
    from ldjcheck.measure import Namespace, undisturbed, unharmed

    started = perf_counter() if started is None else started
    torch_before = Namespace()
    if options.wrt == "auto" and options.kind in _WRT:
        options = replace(options, wrt=_WRT[options.kind])
    try:
        with undisturbed(), unharmed(layer.obj):
            setting = settle_layer(layer, options)
            checked = partial(_checked, tell=tell)
            result = checked(setting, options, also)
            result = asked_besides(setting, options, result, checked, _glanced_at)
            otherwise = meant_otherwise(setting.layer, result)
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
    from ldjcheck.measure import undisturbed, unharmed

    with undisturbed(), unharmed(layer.obj):
        setting = settle_layer(layer, options)
        return _measurement(setting, setting.layer, options)


def returned_shapes(
    layer: Layer, options: Options, shape: Shape
) -> tuple[Shape, Shape, Shape] | None:
    """Return the shapes of a batch of events, of its output and of the ldj beside it."""
    from ldjcheck.measure import returned_shapes, undisturbed, unharmed

    sized = replace(options, shape=((None, shape),))
    try:
        with undisturbed(), unharmed(layer.obj):
            settled = settle_layer(layer, sized).settled
            return returned_shapes(settled, probe.choose_batch(options.batch, shape))
    except CannotCheckError:
        return None


def _checked(
    setting: Setting,
    options: Options,
    also: tuple[Config, ...],
    tell: Tell | None = None,
) -> Result:
    layer = setting.layer
    measurement = _measurement(setting, layer, options)
    comparison = compare(measurement)
    own = at_its_own_size(setting, comparison, options, _at)
    if own is not None:
        return _checked(own, options, also, tell)
    comparison, of_splits = with_splits(setting, comparison, _compared)
    if tell is not None:
        findings = *of_splits, *name_findings(comparison, None), *raised(comparison)
        _tell_failure(tell, _concluded(comparison, (), findings, options))
    setting = _on_the_cpu(setting)
    diagnoses = _diagnoses(setting, comparison, also)
    diagnoses = with_sublayers(diagnoses, comparison, setting.settled, _alone)
    findings = *of_splits, *name_findings(comparison, diagnoses), *raised(comparison)
    if tell is not None:
        _tell_failure(tell, _concluded(comparison, diagnoses, findings, options))
    findings = _fixed(findings, diagnoses, setting, comparison, also)
    result = _concluded(comparison, diagnoses, findings, options)
    return with_portrait(result, setting.settled, comparison)


def _glanced_at(setting: Setting, options: Options) -> Result:
    """Return what the values alone come to of a layer that is known to be right otherwise."""
    comparison = compare(
        _measurement(setting, setting.layer, options, values_alone=True)
    )
    findings = *name_findings(comparison, None), *raised(comparison)
    return _concluded(comparison, (), findings, options)


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
    findings, ignored = silenced(findings + _stale(hidden, options), options)
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


def _stale(hidden: tuple[Ignored, ...], options: Options) -> tuple[Finding, ...]:
    rule = rule_for("LDJ490")
    assert rule is not None
    found = []
    for suppression in stale(hidden, options):
        named = rule_for(suppression.code)
        name = suppression.code if named is None else f"{named.code} {named.name}"
        message = f"{name} is ignored, and does not occur."
        found.append(
            rule.finding(message, evidence=(f"ignored: {suppression.reason}",))
        )
    return tuple(found)


def _kind(layer: Layer, comparison: Comparison) -> Kind:
    kind = kind_of(comparison)
    told = comparison.measurement.options.kind != "auto"
    return "flow" if kind == "bijection" and not told and is_flow(layer.obj) else kind


def _alone(layer: Layer, options: Options, direction: Direction) -> Diagnosis | None:
    """Return what is wrong with a sublayer by itself, or None where nothing is."""
    setting = settle_layer(layer, options)
    comparison = compare(
        _measurement(setting, setting.layer, options, values_alone=True)
    )
    diagnoses = _diagnoses(setting, comparison)
    return next((d for d in diagnoses if d.direction == direction), None)


def _compared(layer: Layer, options: Options) -> Comparison:
    """Return how a layer by itself agrees."""
    return _at(settle_layer(layer, options), options)


def _at(setting: Setting, options: Options) -> Comparison:
    return compare(_measurement(setting, setting.layer, options))


def _measurement(
    setting: Setting, layer: Layer, options: Options, *, values_alone: bool = False
) -> Measurement:
    from ldjcheck.measure import measure_everywhere, measure_values

    settled = setting.settled
    configs = probe.plan_configs(
        settled.shape,
        setting.others,
        settled.domain,
        options,
        has_parameters=setting.has_parameters,
    )
    measure = measure_values if values_alone else measure_everywhere
    measured, gradients, notes = measure(settled, configs)
    measurement = Measurement(
        layer=layer,
        calls=settled.calls,
        # what is measured later is moved no further than the layer bears
        options=replace(options, params_scale=measured[0].config.scale),
        measured=measured,
        gradients=gradients,
        has_parameters=setting.has_parameters,
        inferred={**setting.inferred, **notes},
        float32_only=settled.float32_only,
        one_sided=notes.get("orientation") or notes.get("orthogonal"),
    )
    said = said_of_runs(measurement)
    return replace(measurement, inferred={**measurement.inferred, **said})


def _on_the_cpu(setting: Setting) -> Setting:
    """Return the setting for all that follows the measurement: a mistake is the same there."""
    settled = setting.settled
    workshop = settled.workshop
    if workshop.options.device is None:
        return setting
    nearby = replace(workshop, options=replace(workshop.options, device=None))
    return replace(setting, settled=replace(settled, workshop=nearby))


def _diagnoses(
    setting: Setting, comparison: Comparison, also: tuple[Config, ...] = ()
) -> tuple[Diagnosis, ...]:
    """Return what explains each direction that disagrees.

    Only then is the layer recorded, and at further configurations.
    """
    from ldjcheck.diagnosis import diagnose_estimate, trace_ledger
    from ldjcheck.measure import record_directions

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
    settled, measurement = setting.settled, comparison.measurement
    if not wrong and (guessed or not measurement.options.ledger):
        return guessed
    if not wrong:
        right = [v.direction for v in comparison.verdicts if v.usable]
        first = measurement.measured[:1]
        traced = record_directions(settled.workshop, settled.calls, right, first)
        return tuple(trace_ledger(traces[0]) for traces in traced if traces)
    more = probe.plan_investigation(
        settled.shape,
        setting.others,
        settled.domain,
        measurement.options,
        has_parameters=setting.has_parameters,
    )
    traced = record_directions(
        settled.workshop, settled.calls, wrong, measurement.measured, (*more, *also)
    )
    return *guessed, *(
        _diagnosed(traces, setting, more[0]) for traces in traced if traces
    )


def _diagnosed(
    traces: tuple[Trace, ...], setting: Setting, config: Config
) -> Diagnosis:
    """Return what explains a direction; what nothing does is asked once more, as built."""
    from ldjcheck.diagnosis import (
        diagnose_traces,
        explained_as_built,
        is_unexplained,
    )
    from ldjcheck.measure import record_directions

    diagnosis = diagnose_traces(traces)
    as_built = probe.plan_as_built(config)
    if not as_built or not is_unexplained(diagnosis):
        return diagnosis
    settled, direction = setting.settled, diagnosis.direction
    (built,) = record_directions(
        settled.workshop, settled.calls, [direction], (), as_built
    )
    return explained_as_built(diagnosis, traces, built)


def _is_estimate(verdict: Verdict) -> bool:
    return any(side.estimated for _, side, _ in verdict.usable)


def _fixed(
    findings: tuple[Finding, ...],
    diagnoses: tuple[Diagnosis, ...],
    setting: Setting,
    comparison: Comparison,
    also: tuple[Config, ...],
) -> tuple[Finding, ...]:
    """Return the findings with the edits that mend them.

    An edit is verified at configurations of other seeds than all that was measured.
    """
    if not any(finding.severity == "error" for finding in findings):
        return findings
    if setting.settled.calls.departures:
        return findings  # what a split says is taken off: any density would agree
    from ldjcheck.fixes import Plans, with_fixes

    settled, options = setting.settled, comparison.measurement.options
    fresh = replace(options, seed=options.seed + _FRESH)
    at = settled.shape, setting.others, settled.domain, fresh
    moves = setting.has_parameters
    plan = probe.plan_configs(*at, has_parameters=moves)
    seen = {config.shape for config in plan} - {settled.shape}
    more = probe.plan_investigation(*at, has_parameters=moves)
    # How far parameters are moved is varied to tell mistakes apart, not to find them.
    usual = (c for c in more if c.scale == options.params_scale and not c.nudged)
    further = (c for c in usual if c.shape not in seen)
    beyond = (
        m.config
        for m in comparison.measurement.measured
        if m.config.reach > 1.0 or m.config.scale > options.params_scale
    )
    values = *plan[1:], *further, *beyond, *also
    plans = Plans(closely=plan[:1], by_value=values)
    return with_fixes(findings, diagnoses, comparison, settled, plans)
