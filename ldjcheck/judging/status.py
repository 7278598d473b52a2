"""What a measurement comes to: the status, the kind, and what the report says of both."""

import ast
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ldjcheck.calling.results import written_in
from ldjcheck.calling.signature import method_names
from ldjcheck.records import (
    Check,
    Comparison,
    Diagnosis,
    Finding,
    Kind,
    Measurement,
    Options,
    Status,
    Suppression,
    Verdict,
)
from ldjcheck.records.result import Ignored


def said_of_runs(measurement: Measurement) -> dict[str, str]:
    """Return what was seen through, in the words of the report."""
    said = {}
    for side in (measurement.measured[0].forward, measurement.measured[0].inverse):
        if side.exact.wrt == "noise":
            said["wrt"] = "noise: a random draw made in the call enters the output"
        if side.exact.density is not None:
            said["wrt"] += ", whose own density the ldj counts"
        if calls := side.said.estimated:
            how = "worked out by" if side.said.expected else "over"
            said["estimator"] = (
                f"the ldj is random and y is not: judged by its mean {how} {calls} calls"
            )
        if side.exact.instead == "chart":
            said["chart"] = (
                "more entries come out than dims go in: what follows from the others, the "
                "last of a simplex, the upper triangle of a factor, is left out"
            )
        if side.exact.instead == "centred":
            said["centred"] = (
                "the centre of mass is taken away: what is exact is that of all other "
                "directions"
            )
        if side.exact.rounding_seen:
            said["rounding"] = "seen through: the output is rounded to whole numbers"
        if side.exact.detach_seen:
            said["detach"] = "seen through: without it autograd misses part of the map"
    if never := tuple(_never_given(measurement)):
        names = " and ".join(f"{name}=None" for name in never)
        said["not given"] = (
            f"{names} throughout: what it does otherwise is not checked: "
            f"--context '{never[0]}=...'"
        )
    return said


def _never_given(measurement: Measurement) -> Iterator[str]:
    """Yield the arguments that stayed None and of which the layer asks whether they are.

    One that is merely handed on changes nothing that its part does not ask about.
    """
    fed = (*measurement.fed, *measurement.options.context)
    given = {context.name for context in fed} | dict(measurement.options.kwarg).keys()
    for name in measurement.calls.extra_names:
        if name not in given and _asks_about(measurement.layer.obj, name):
            yield name


def _asks_about(layer: Any, name: str) -> bool:
    """Return whether the layer's code goes by what one of its arguments is."""
    methods = (getattr(type(layer), each) for each in method_names(layer))
    functions = (layer,) if inspect.isroutine(layer) else methods
    tests = (
        getattr(node, "test", node)
        for function in functions
        for node in written_in(function)
        if isinstance(node, ast.If | ast.IfExp | ast.BoolOp | ast.Compare)
    )
    read = (each for test in tests for each in ast.walk(test))
    return any(isinstance(each, ast.Name) and each.id == name for each in read)


def said_of_comparison(comparison: Comparison) -> dict[str, str]:
    """Return why a gradient was not judged, or a way back that is off proves nothing."""
    said = _said_of_round_trip(comparison)
    for verdict in comparison.verdicts:
        if verdict.between is not None:
            off, allowed = verdict.between
            said[f"residual {verdict.direction}"] = (
                f"off by {off:.2g} where rounding is thought to cost {allowed:.2g}: less "
                "than ten times that is no mistake, nor is it proved"
            )
    if not any(verdict.mismatched for verdict in comparison.verdicts):
        said |= said_of_sizes(comparison.measurement)
    for gradient in comparison.measurement.gradients:
        if gradient.why is not None:
            said[f"gradient {gradient.direction}"] = f"not judged: {gradient.why}"
        elif gradient.nearer:
            said[f"gradient {gradient.direction}"] = (
                "judged with parameters moved a tenth as far: further out a clip hands on "
                "a gradient that is not its own"
            )
    return said


def _said_of_round_trip(comparison: Comparison) -> dict[str, str]:
    check = comparison.round_trip
    if check.status != "unproven" or check.worst is None:
        return {}
    why = (
        f"off by {check.worst:.1g}: a solver's residual, or a small slip in the inverse"
    )
    return {"round trip": why}


def alone(measurement: Measurement) -> tuple[int | None, ...] | None:
    """Return the only events that it is known to be right for, if there are others.

    That is the one size that was looked at; or else, where others are left out, the sizes
    of the axes that were looked at with one size alone, and None for each of the rest.
    """
    shapes = measurement.shapes
    if len(shapes) > 1 and not measurement.left_out:
        return None
    if len({len(shape) for shape in shapes}) > 1:
        return None
    by_axis = (dict.fromkeys(sizes) for sizes in zip(*shapes, strict=True))
    return tuple(next(iter(sizes)) if len(sizes) == 1 else None for sizes in by_axis)


def said_of_sizes(measurement: Measurement) -> dict[str, str]:
    """Return at which sizes alone a layer is right, and at which others it is not."""
    if alone(measurement) is None:
        return {}
    told = f"right at {', '.join(map(str, measurement.shapes))} alone"
    if measurement.left_out:
        others = ", ".join(map(str, measurement.left_out))
        told += f"; wrong at {others}, which nobody gave"
    return {"sizes": told}


def forgiven(comparison: Comparison, findings: tuple[Finding, ...]) -> Comparison:
    """Return the comparison with directions passed where all that is wrong is a note."""

    def judged(verdict: Verdict) -> Verdict:
        found = [f for f in findings if f.direction == verdict.direction]
        excused = (
            verdict.mismatched and found and all(f.severity == "note" for f in found)
        )
        if not excused:
            return verdict
        return replace(verdict, check=replace(verdict.check, status="pass"))

    return replace(
        comparison,
        forward=judged(comparison.forward),
        inverse=judged(comparison.inverse),
    )


def silenced(
    findings: tuple[Finding, ...], options: Options
) -> tuple[tuple[Finding, ...], tuple[Ignored, ...]]:
    """Return the findings that count, and those that the user does not want to count.

    What says that nothing could be checked (LDJ0xx) always counts.
    """
    kept, ignored = [], []
    for finding in findings:
        hiding = [each.reason for each in options.ignore if each.hides(finding)]
        reason = hiding[-1] if hiding else None
        if reason is None and options.select and finding.code not in options.select:
            reason = "not selected"
        if reason is None or finding.code.startswith("LDJ0"):
            kept.append(finding)
        else:
            hidden = Ignored(
                code=finding.code,
                name=finding.name,
                severity=finding.severity,
                direction=finding.direction,
                message=finding.message,
                reason=reason,
            )
            ignored.append(hidden)
    return tuple(kept), tuple(ignored)


def stale(findings: tuple[Finding, ...], options: Options) -> tuple[Suppression, ...]:
    """Return what is ignored and does not occur, though it was expected to."""
    if options.direction != "both":  # it may stand in the other one
        return ()
    expected = (each for each in options.ignore if each.expected)
    return tuple(each for each in expected if not any(map(each.hides, findings)))


def status_of(
    findings: tuple[Finding, ...],
    comparison: Comparison,
    options: Options,
    ignored: tuple[Ignored, ...] = (),
) -> Status:
    """Return the status by the words of the contract: fail, error, unproven, pass.

    An ignored finding does not count, nor does a check that is unproven because of it. The
    checks themselves keep what was measured: one that disagrees stays `fail`.
    """
    grave = {"error", "warning"} if options.strict else {"error"}
    if any(f.severity in grave and not f.code.startswith("LDJ0") for f in findings):
        return "fail"
    if any(f.code.startswith("LDJ0") for f in findings):
        return "error"
    checks: tuple[Check, ...] = comparison.checks
    excused = {i.direction for i in ignored if i.severity == "unproven"}
    if any(f.severity == "unproven" for f in findings) or any(
        c.status == "unproven" and not excused & {c.direction, None} for c in checks
    ):
        return "unproven"
    if comparison.measurement.not_done:  # where a mistake might have shown
        return "unproven"
    proved = any(c.name == "ldj" and c.status == "pass" for c in checks)
    wanted = any(i.severity in ("error", "unproven") for i in ignored)
    return "pass" if proved or wanted else "unproven"


def kind_of(comparison: Comparison) -> Kind:
    """Return what the layer is, by what was seen of it."""
    given = comparison.measurement.options.kind
    if given != "auto":
        return given
    if comparison.measurement.calls.convention in ("model", "density", "sampler"):
        return "model"
    if any(v.instead in ("split", "nothing") for v in comparison.verdicts):
        return "split"
    noisy = any(v.check.wrt == "noise" for v in comparison.verdicts)
    return "dequantization" if noisy else "bijection"


def with_shares(check: Check, diagnoses: tuple[Diagnosis, ...]) -> Check:
    """Return a check with the reported dims' parts, where the ledger could tell them."""
    for diagnosis in diagnoses:
        own = diagnosis.reported_shares
        if check.name != "ldj" or diagnosis.direction != check.direction or own is None:
            continue
        if len(own) == len(check.dimensions) and _sums_to(own, check):
            split = zip(check.dimensions, own, strict=True)
            parts = tuple(replace(d, reported=share) for d, share in split)
            return replace(check, dimensions=parts)
    return check


def _sums_to(shares: Sequence[float], check: Check) -> bool:
    """Return whether the parts belong to the sample that the check shows first."""
    reported = check.samples[0].reported if check.samples else None
    return reported is not None and abs(sum(shares) - reported) <= 1e-6 * (
        1.0 + abs(reported)
    )
