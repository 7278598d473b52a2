"""The order of a check: settle, measure, judge, explain, mend.

This is the only module that knows it. What passes is asked once more, called in other ways.
Where the time of a check is limited, the verdict comes first, and what time does not allow
any more is left out by its name.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from math import prod
from time import perf_counter
from typing import TypeVar

from ldjcheck.errors import LAYERS_OWN, CannotCheckError
from ldjcheck.explaining import diagnoses_of
from ldjcheck.explaining.sublayers import Sublayers, by_sublayers_alone, with_sublayers
from ldjcheck.faults import failed
from ldjcheck.judging.measurement import (
    Split,
    compared,
    first_looks,
    measured,
    moved_while_smooth,
    with_splits,
)
from ldjcheck.judging.status import (
    alone,
    forgiven,
    kind_of,
    said_of_comparison,
    silenced,
    stale,
    status_of,
    with_shares,
)
from ldjcheck.mistakes.attribution.circumstances import unused
from ldjcheck.mistakes.attribution.findings import (
    RAISED,
    name_findings,
    within_sublayer,
)
from ldjcheck.portrait import with_portrait
from ldjcheck.readings import BY_NUMBERS, BY_RESULT
from ldjcheck.readings.reading import Measured, Outcome, Reading
from ldjcheck.readings.sizes.smaller import at_a_smaller_size, shows_in_long_calls
from ldjcheck.readings.sizes.user_shape import at_this_shape_alone
from ldjcheck.records import (
    Comparison,
    Diagnosis,
    Finding,
    Kind,
    Layer,
    Measurement,
    Options,
    Probe,
    Result,
    Shape,
    Sides,
    TimeIsUpError,
    Wrt,
)
from ldjcheck.records.asked import (
    ALONE,
    LEDGER,
    MEASURING,
    MENDING,
    NAMING,
    OTHERWISE,
    OWN_SIZE,
    PICTURES,
    SETTLING,
    SMALLER,
    SPLITS,
    SUBLAYERS,
    Stage,
)
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.snapshot.isolation import undisturbed, unharmed
from ldjcheck.running.snapshot.state import Namespace
from ldjcheck.settling.design import choose_batch
from ldjcheck.settling.flows.sublayers import is_flow
from ldjcheck.settling.subject import Subject, settle_layer
from ldjcheck.tracebacks import message_of

Tell = Callable[[Result | str], None]
Item = TypeVar("Item")

_WRT: dict[str, Wrt] = {"bijection": "input", "dequantization": "noise"}
_MOST = 40  # readings of one layer that are measured
_FRESH = 7001  # how far the seeds of a verification are from those of the check
_TOO_LARGE = (  # torch has no errors of their own for these, on the CPU
    "allocate memory",
    "out of memory",
    "Storage size calculation overflowed",
    "Overflow when unpacking long",
)


def check_layer(
    layer: Layer,
    options: Options,
    started: float | None = None,
    also: tuple[Probe, ...] = (),
    tell: Tell | None = None,
) -> Result:
    """Return the result of one layer; the layer's own faults never raise.

    At `also` nothing is looked for, but what explains and what mends must hold there too.
    `tell` hears what is being done, and of the verdict as soon as there is one, once more
    when it is known why: whoever cannot wait for the end has a result all the same.
    """
    started = perf_counter() if started is None else started
    torch_before = Namespace()
    if options.wrt == "auto" and options.kind in _WRT:
        options = replace(options, wrt=_WRT[options.kind])
    options = options.started()
    course = _Course(tell)
    try:
        with undisturbed(), unharmed(layer.obj):
            course.reaches(SETTLING)
            subject = settle_layer(layer, options)
            course.smaller = _smaller(subject)
            result = _read_in_turn(subject, also, course)
    except (*LAYERS_OWN, TimeIsUpError) as error:
        result = _failed(error, layer, options, course, torch_before)
    return replace(result, seconds=perf_counter() - started)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What one look at a layer shows: at given inputs, its parameters as they are.

    `condition` is the largest condition of J, of the samples that were looked at.
    """

    result: Result
    subject: Subject | None = None  # how it is called; None where that is not known
    sides: Sides | None = None
    condition: float | None = None


def glance_at(layer: Layer, options: Options, subject: Subject | None = None) -> Glance:
    """Return how a layer's values compare at the inputs given; its own faults never raise.

    Nothing is explained. A `subject` that was settled at inputs of the same sizes is called
    as it was then, with the parameters that the layer has by now.
    """
    from ldjcheck.oracle.structure import measure_condition

    torch_before, options, course = Namespace(), options.started(), _Course(None)
    try:
        with undisturbed(), unharmed(layer.obj):
            known = None if subject is None else subject.fed(options)
            subject = known or settle_layer(layer, options)
            course.reaches(MEASURING)
            *_, look = first_looks(subject)
            sides = look.measurement.measured[0]
            condition = measure_condition(subject.bench, sides)
    except (*LAYERS_OWN, TimeIsUpError) as error:
        return Glance(result=_failed(error, layer, options, course, torch_before))
    subject.bench.masters.clear()  # copies, which would take memory until the next look
    whole = replace(look, measurement=replace(look.measurement, not_done=()))
    return Glance(
        result=_concluded(whole, (), _findings(whole, (), None)),
        subject=subject,
        sides=sides,
        condition=condition,
    )


def measure_layer(layer: Layer, options: Options) -> Measurement:
    """Return what running a layer shows, before anything is judged.

    Raises:
        CannotCheckError: the layer cannot be called.
    """
    with undisturbed(), unharmed(layer.obj):
        subject = settle_layer(layer, options)
        return measured(subject)


def returned_shapes(
    layer: Layer, options: Options, shape: Shape
) -> tuple[Shape, Shape, Shape] | None:
    """Return the shapes of a batch of events, of its output and of the ldj beside it."""
    from ldjcheck.settling.settle import returned_shapes

    sized = replace(options, shape=((None, shape),))
    try:
        with undisturbed(), unharmed(layer.obj):
            bench = settle_layer(layer, sized).bench
            batch = choose_batch(options.batch, shape)
            return returned_shapes(replace(bench, batch=batch))
    except CannotCheckError:
        return None


class _Course:
    """One check on its way: what is being done, and what time did not allow."""

    def __init__(self, tell: Tell | None) -> None:
        self.tell = tell
        self.stage = SETTLING
        self.smaller: Shape | None = None  # than the shape that is checked
        self.not_done: list[str] = []
        # By their keys, what was read; kept, as nothing else may come to stand there.
        self.visited: dict[Hashable, object] = {}

    def is_new(self, reading: Reading) -> bool:
        """Return whether a reading is none that was measured, and not one too many."""
        return len(self.visited) < _MOST and reading.key not in self.visited

    def reaches(self, stage: Stage) -> None:
        """Note what is being done from now on, and tell whoever waits."""
        self.stage = stage
        if self.tell is not None and stage.doing:
            self.tell(stage.doing)

    def during(
        self,
        stage: Stage,
        subject: Subject,
        found: Callable[[Subject], Item],
        otherwise: Item,
    ) -> Item:
        """Return what a stage finds about a layer that is wrong, or what is left without."""
        self.reaches(stage)
        bench = subject.bench.during(stage, wrong=True)
        try:
            return found(replace(subject, bench=bench))
        except TimeIsUpError:
            self.not_done.append(stage.what)
            return otherwise
        except FailedCallError:  # what is known to be wrong stays so
            return otherwise


def _failed(
    error: BaseException,
    layer: Layer,
    options: Options,
    course: _Course,
    torch_before: Namespace,
) -> Result:
    """Return the result of a layer whose check ended early; a fault of ours is raised."""
    if isinstance(error, TimeIsUpError):
        error = _no_verdict(course.stage, error, options, course.smaller)
    elif _is_too_large(error):
        error = CannotCheckError(
            "LDJ007",
            "The check ran out of memory.",
            ("Check the layer at a smaller --shape, or --batch.",),
        )
    result = failed(layer, error, torch_before)
    return replace(result, inferred=dict(layer.inferred))


def _is_too_large(error: BaseException) -> bool:
    """Return whether there was no room for something, or no computer has it."""
    if not isinstance(error, (RuntimeError, TypeError)):
        return isinstance(error, MemoryError)
    return any(text in message_of(error) for text in _TOO_LARGE)


def _no_verdict(
    stage: Stage, error: TimeIsUpError, options: Options, smaller: Shape | None
) -> CannotCheckError:
    """Return what to say of a layer of which nothing is known when the time is up.

    `smaller` is another shape that it takes.
    """
    assert options.timeout is not None, "without a limit there is always time"
    seconds = options.timeout.seconds
    more = f"--timeout {2 * seconds:g}"
    message = f"The {seconds:g} seconds were over while I was {stage.doing}."
    if error.instead:
        message = f"The {seconds:g} seconds do not suffice for a layer of this size."
    evidence = [*error.within, *error.instead]
    if error.tried:
        evidence += ["Tried so far:", *error.tried]
    evidence.append("Nothing is known yet: it is neither right nor wrong.")
    if stage is SETTLING and not (options.shape or options.inputs):
        evidence.append("Say the shape of one sample, if you know it: --shape 1,4,4")
    elif smaller is not None:
        shape = ",".join(map(str, smaller))
        evidence.append(f"A mistake shows at small sizes too: --shape {shape}")
    elif error.instead:
        evidence.append(
            "A mistake shows at small sizes too: build the layer for a smaller one."
        )
    evidence.append(f"Give it more time: {more}")
    return CannotCheckError("LDJ007", message, tuple(evidence))


def _smaller(subject: Subject) -> Shape | None:
    """Return the smallest shape that a layer takes, where it is checked at a larger one."""
    least = min((subject.bench.shape, *subject.others), key=prod)
    return least if prod(least) < prod(subject.bench.shape) else None


def _read_in_turn(subject: Subject, also: tuple[Probe, ...], course: _Course) -> Result:
    """Return what is told of a layer that is settled: of it as it is read, and otherwise.

    What it comes to proposes other readings, which are asked beside it one by one.
    """
    result = _check_reading(Reading(subject=subject), also, course)
    subject = replace(subject, asked=subject.asked.during(OTHERWISE, wrong=False))
    outcome = Outcome(subject=subject, result=result)
    if result.status != "fail":
        course.reaches(OTHERWISE)
    for name, propose in BY_RESULT:
        try:
            for reading in propose(outcome):
                outcome.result = _read_beside(reading, outcome.result, course)
        except TimeIsUpError:
            course.not_done.append(f"{OTHERWISE.what}: {name}")
    not_done = dict.fromkeys((*outcome.result.not_done, *course.not_done))
    return replace(outcome.result, not_done=tuple(not_done))


def _read_beside(reading: Reading, before: Result, course: _Course) -> Result:
    """Return what is told of a layer that may be read otherwise as well, or raise why none."""
    if reading.refused is not None:
        raise reading.refused
    if reading.result is not None:
        return reading.result
    if not course.is_new(reading):
        return before
    try:
        again = _check_reading(reading, (), course)
    except CannotCheckError:
        again = None
    if again is not None and reading.told_if is not None and not reading.told_if(again):
        again = None
    right = again is not None and again.status == "pass"
    return reading.adopt(before, again) if right or not reading.values_alone else before


def _check_reading(
    reading: Reading, also: tuple[Probe, ...], course: _Course
) -> Result:
    """Return what a reading comes to: measured, judged, explained, mended.

    Where its numbers propose another reading, that takes its place, until none is new.
    """
    read: Reading | Measured = reading
    while isinstance(read, Reading):
        course.visited[read.key] = read.subject.layer.obj
        if read.values_alone:
            values = compared(read.subject, values_alone=True)
            told = _concluded(values, (), _findings(values, (), None))
            return replace(told, readings=(read.told(told.status),))
        read, smaller = _measure_reading(read, course)
    subject, comparison, whole = read.subject, read.comparison, None
    if smaller is not None:
        whole, also = read, ()
        subject, comparison = _until_the_end(smaller.subject), smaller.comparison
    comparison, splits = _by_splits(subject, comparison, course)
    _tell(course, comparison, (), _findings(comparison, splits, None))
    subject = _on_the_cpu(subject)
    diagnoses = _explained(subject, comparison, also, course)
    if diagnoses is None:
        comparison = comparison.lacking(NAMING.what)
        found = _findings(comparison, splits, None)
    else:
        found = _findings(comparison, splits, diagnoses)
    diagnoses = diagnoses or ()
    _tell(course, comparison, diagnoses, found)
    if reading.told_if is not None:
        result = _concluded(comparison, diagnoses, found)
        if not reading.told_if(result):
            return result
    if any(finding.severity == "error" for finding in found):
        found = course.during(
            MENDING,
            subject,
            lambda at: _fixed(found, diagnoses, at, comparison, also, whole),
            found,
        )
    result = _concluded(comparison, diagnoses, found)
    result = replace(result, readings=(read.reading.told(result.status),))
    return course.during(
        PICTURES,
        subject,
        lambda at: with_portrait(result, at.bench, comparison),
        result,
    )


def _measure_reading(
    reading: Reading, course: _Course
) -> tuple[Reading | Measured, Measured | None]:
    """Return a reading with how its numbers compare; or another, to be measured instead.

    And a smaller size at which it is wrong in the same way, where its calls are long.
    """
    course.reaches(MEASURING)
    subject = moved_while_smooth(reading.subject)
    reading = reading.of(subject)
    for look in first_looks(subject):
        if course.tell is not None:
            _tell(course, look, (), _findings(look, (), None))
    at_once = shows_in_long_calls(subject, look)
    if at_once:  # all else that is asked of it can be asked where events are small
        read = _reread(Measured(reading=reading, comparison=look), course)
        smaller = _made_smaller(read, course)
        if smaller is not None or isinstance(read, Reading):
            return read, smaller
    (first,) = look.measurement.measured
    comparison = compared(subject, first=first)
    read = _reread(Measured(reading=reading, comparison=comparison), course)
    if at_once or isinstance(read, Reading):
        return read, None
    is_long = shows_in_long_calls(subject, read.comparison)
    return read, _made_smaller(read, course) if is_long else None


def _reread(seen: Measured, course: _Course) -> Reading | Measured:
    """Return what a reading's numbers propose, or the same where time runs out."""
    read = course.during(
        OWN_SIZE, seen.subject, lambda at: _propose(seen.of(at), course), None
    )
    if read is not None:
        return read.of(_until_the_end(read.subject))
    return replace(seen, comparison=at_this_shape_alone(seen.comparison))


def _propose(seen: Measured, course: _Course) -> Reading | Measured:
    """Return the first new reading that is proposed; else the same with all that is known."""
    for propose in BY_NUMBERS:
        for other in propose(seen):
            if isinstance(other, Measured):
                seen = other
            elif course.is_new(other):
                return other
    return seen


def _made_smaller(read: Reading | Measured, course: _Course) -> Measured | None:
    """Return a layer that is wrong where events are small, if it is so in the same way."""
    if isinstance(read, Reading):
        return None
    comparison = read.comparison
    return course.during(
        SMALLER, read.subject, lambda at: at_a_smaller_size(at, comparison), None
    )


def _until_the_end(subject: Subject) -> Subject:
    """Return the subject with the time of the check, and not of the stage that found it."""
    bench = subject.bench
    options = replace(bench.options, timeout=subject.asked.timeout)
    return replace(subject, bench=replace(bench, options=options))


def _by_splits(
    subject: Subject, comparison: Comparison, course: _Course
) -> tuple[Comparison, tuple[Split, ...]]:
    """Return the comparison with what its splits say, or without: then it lacks that."""
    lacking: tuple[Comparison, tuple[Split, ...]] = comparison.lacking(SPLITS.what), ()
    return course.during(
        SPLITS, subject, lambda at: with_splits(at, comparison), lacking
    )


def _explained(
    subject: Subject, comparison: Comparison, also: tuple[Probe, ...], course: _Course
) -> tuple[Diagnosis, ...] | None:
    """Return what explains each direction that disagrees; None where time ran out.

    Of a layer that is right it is the line ledger, if that is wanted.
    """
    if not any(v.mismatched or v.form is not None for v in comparison.verdicts):
        nothing: tuple[Diagnosis, ...] = ()
        return course.during(
            LEDGER, subject, lambda at: diagnoses_of(at, comparison, also), nothing
        )
    sublayers = Sublayers(comparison)
    diagnoses = course.during(
        ALONE,
        subject,
        lambda at: by_sublayers_alone(comparison, at.bench, sublayers),
        None,
    )
    if diagnoses is not None:
        return diagnoses
    diagnoses = course.during(
        NAMING, subject, lambda at: diagnoses_of(at, comparison, also), None
    )
    if diagnoses is None:
        return None
    known = diagnoses
    return course.during(
        SUBLAYERS,
        subject,
        lambda at: with_sublayers(known, comparison, at.bench, sublayers),
        known,
    )


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


def _tell(
    course: _Course,
    comparison: Comparison,
    diagnoses: tuple[Diagnosis, ...],
    findings: tuple[Finding, ...],
) -> None:
    """Tell whoever waits what is known so far."""
    if course.tell is not None:
        course.tell(_concluded(comparison, diagnoses, findings, so_far=True))


def _concluded(
    comparison: Comparison,
    diagnoses: tuple[Diagnosis, ...],
    findings: tuple[Finding, ...],
    *,
    so_far: bool = False,
) -> Result:
    """Return what all that was found comes to, or what was found so far."""
    measurement = comparison.measurement
    layer, options = measurement.layer, measurement.options
    comparison = forgiven(comparison, findings)
    is_open = so_far or bool(measurement.not_done)  # what is ignored may be found yet
    unneeded = () if is_open else tuple(map(unused, stale(findings, options)))
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
        not_done=measurement.not_done,
        findings=findings,
        ignored=ignored,
        unasked=measurement.unasked,
        alone=alone(measurement),
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
    whole: Measured | None,
) -> tuple[Finding, ...]:
    """Return the findings with the edits that mend them.

    An edit is verified at configurations of other seeds than all that was measured, and
    once at the `whole` size where the mistake was explained at a smaller one.
    """
    from ldjcheck.derivation.conditioning_leak import with_leaks
    from ldjcheck.derivation.inverse_localisation import with_steps_not_undone
    from ldjcheck.derivation.map_edits import with_other_parts
    from ldjcheck.mistakes.mending import Plans, Whole, wants_derived, with_fixes
    from ldjcheck.mistakes.mending.outputs import with_densities, with_outputs
    from ldjcheck.settling.other_sizes import at_all_ranks, at_other_sizes

    bench, options = subject.bench, comparison.measurement.options
    fresh = replace(options, seed=options.seed + _FRESH)
    anew = replace(subject, asked=fresh)
    plan, more = anew.probes(), anew.further_probes()
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
    ranks = at_all_ranks(bench, plan[0])
    if not ranks:
        known = {probe.shape for probe in (*plan, *values)}
        ranks = at_other_sizes(bench, plan[0], known)
    plans = Plans(closely=plan[:1], by_value=values, ranks=ranks)
    if whole is not None:
        sides = whole.comparison.measurement.measured[:1]
        plans = replace(plans, whole=Whole.of(whole.subject.bench, sides))
    meant = with_outputs(findings, comparison, bench, plans)
    if meant is not findings:
        return meant
    findings = with_fixes(findings, diagnoses, comparison, bench, plans)
    if bench.calls.departures:
        return findings  # its terms are those of a map to all dims, and no split's
    if any(map(wants_derived, findings)):
        from ldjcheck.derivation.amending import with_derived_terms  # it loads SymPy

        findings = with_derived_terms(findings, diagnoses, comparison, bench, plans)
    findings = with_leaks(findings, comparison, bench, plans)
    findings = with_densities(findings, comparison, bench, plans)
    findings = with_other_parts(findings, comparison, bench, plans)
    return with_steps_not_undone(findings, comparison, bench, plans)
