"""The way through: recognise, settle, probe, measure, compare, diagnose.

This is the only module that knows the order of the stages.
"""

from __future__ import annotations

import time
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from ldjcheck.compare import compare
from ldjcheck.domains import describe, parse_domain
from ldjcheck.errors import CannotCheckError
from ldjcheck.records import (
    Check,
    Finding,
    Layer,
    Measurement,
    Options,
    Result,
    Run,
    Shape,
    Status,
)
from ldjcheck.rules import diagnose, rule_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from ldjcheck.records import Comparison
    from ldjcheck.report import Report


def check(
    layer: Any,
    *,
    shape: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    domain: str | None = None,
    context: Mapping[str, Sequence[int]] | None = None,
    kwarg: Mapping[str, Any] | None = None,
    **options: Any,
) -> Report:
    """Return what is true of the layer's log-determinant, and what it says.

    Args:
        layer: any object that is called like a flow layer; it is left exactly as it was.
        shape: event shape of one sample, without the batch; found out when absent. A
            mapping names the inputs.
        domain: where inputs live, as `--domain` takes it: `"unit"`, `"int:0:255"`.
        context: event shapes of further tensor arguments, by parameter name.
        kwarg: further keyword arguments of every call.
        options: every other option of the command line that concerns the check, under
            its own name with underscores; see `ldjcheck.records.Options`.

    Never raises because of a mistake in the layer. A layer that hangs cannot be stopped
    here; the command line's `--timeout` can, since it runs each target in a process of
    its own.

    Raises:
        TypeError: an option that does not exist.
    """
    from ldjcheck.report import Report

    unknown = set(options) - {field.name for field in fields(Options)}
    if unknown:
        raise TypeError(f"check() has no option {sorted(unknown)[0]!r}")
    chosen = Options(
        shape=_shapes(shape),
        domain=None if domain in (None, "auto") else parse_domain(domain),
        context=tuple((name, tuple(s)) for name, s in (context or {}).items()),
        kwarg=tuple((kwarg or {}).items()),
        **options,
    )
    name = _name(layer)
    started = time.perf_counter()
    result = check_layer(Layer(target=name, name=name, obj=layer), chosen)
    exit_code = {"pass": 0, "fail": 1, "error": 2, "unproven": 3}[result.status]
    return Report(
        Run(
            seed=chosen.seed,
            exit_code=exit_code,
            seconds=time.perf_counter() - started,
            command="ldjcheck.check",
            results=(result,),
        )
    )


def exact_ldj(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return sign and log|det J| of a map, each `(batch,)`, the latter in nats.

    J[b] is the Jacobian of sample b, `dy[b] / dx[b]` with the event axes flattened, by
    `torch.autograd.functional.jacobian`.

    Args:
        f: the map, `(batch, *event)` to `(batch, *event)`, sample by sample.
        x: the points, best in float64.

    Raises:
        ValueError: the output has another number of entries per sample than the input, or
            automatic differentiation does not go through the map.
    """
    from ldjcheck.measure.exact import NoJacobianError, exact_jacobian, log_abs_det

    flat = x.detach().reshape(len(x), -1)
    try:
        jacobian, _, _ = exact_jacobian(
            lambda v: f(v.reshape(x.shape)).reshape(len(x), -1), flat
        )
    except NoJacobianError:
        raise ValueError("automatic differentiation does not go through f") from None
    if jacobian.shape[1] != jacobian.shape[2]:
        raise ValueError(
            f"f maps {jacobian.shape[2]} dims to {jacobian.shape[1]}: only square "
            "Jacobians have a determinant"
        )
    return log_abs_det(jacobian)


def check_layer(layer: Layer, options: Options, started: float | None = None) -> Result:
    """Return the result of one layer; the layer's own faults never raise."""
    from ldjcheck.measure import undisturbed, unharmed

    started = time.perf_counter() if started is None else started
    try:
        with undisturbed(), unharmed(layer.obj):
            result = _checked(layer, options)
    except CannotCheckError as error:
        result = failed_result(layer.target, error, layer=layer.name)
    except MemoryError:
        error = CannotCheckError(
            "LDJ007",
            "The check ran out of memory.",
            ("Check the layer at a smaller --shape.",),
        )
        result = failed_result(layer.target, error, layer=layer.name)
    return replace(result, seconds=time.perf_counter() - started)


def failed_result(
    target: str, error: CannotCheckError, *, layer: str | None = None
) -> Result:
    """Return the result of a target that could not be checked."""
    rule = rule_for(error.code)
    assert rule is not None, error.code
    finding = rule.finding(error.message, evidence=error.evidence)
    return Result(target=target, layer=layer, status="error", findings=(finding,))


def _checked(layer: Layer, options: Options) -> Result:
    measurement = _measurement(layer, options)
    comparison = compare(measurement)
    findings = diagnose(comparison) + _raised(comparison)
    return Result(
        target=layer.target,
        layer=layer.name,
        status=_status(findings, comparison, options),
        convention=measurement.calls.convention,
        kind=_kind(comparison),
        inferred=dict(measurement.inferred),
        checks=comparison.checks,
        findings=findings,
    )


def _measurement(layer: Layer, options: Options) -> Measurement:
    from ldjcheck import probe
    from ldjcheck.conventions import recognise_conventions
    from ldjcheck.measure import Workshop, learnable, measure_everywhere, runs, settle

    candidates = recognise_conventions(layer.obj, options.convention)
    if not candidates:
        raise CannotCheckError(
            "LDJ004",
            f"I do not know how to call {layer.name}.",
            (
                f"It is a {type(layer.obj).__name__} and cannot be called with an input.",
                "A flow layer is called with x and returns y and its ldj.",
            ),
        )
    held = probe.sizes_held(layer.obj)
    asked = dict(options.shape)
    if asked:
        guesses: tuple[tuple[Shape, str], ...] = (
            (next(iter(asked.values())), "as you said"),
        )
    else:
        found = probe.guess_shapes(layer.obj, candidates[0].event_dim)
        guesses = tuple((guess.shape, guess.why) for guess in found)
    batches = {shape: probe.choose_batch(options.batch, shape) for shape, _ in guesses}
    shop = Workshop(layer=layer, options=options, promote=options.dtype == "float64")
    settled = settle(shop, candidates, guesses, batches)
    _within_limit(settled.shape, options.dims_limit)
    others = tuple(
        shape
        for shape in probe.resized(settled.shape, held)
        if runs(settled, shape, probe.choose_batch(options.batch, shape))
    )
    copy, said, _ = settled.workshop.copy()
    has_parameters = bool(learnable(copy))
    configs = probe.plan_configs(
        settled.shape, others, settled.domain, options, has_parameters=has_parameters
    )
    measured, notes = measure_everywhere(settled, configs)
    inferred = {**dict(settled.calls.inferred), **notes}
    inferred["shape"] = f"{settled.shape}: {settled.why_shape}"
    inferred["domain"] = f"{describe(settled.domain)}: {settled.why_domain}"
    if said is not None:
        inferred["copy"] = said
    if settled.float32_only is not None:
        inferred["dtype"] = f"float32: in float64 it raises {settled.float32_only}"
    measurement = Measurement(
        layer=layer,
        calls=settled.calls,
        options=options,
        measured=measured,
        has_parameters=has_parameters,
        inferred=inferred,
        float32_only=settled.float32_only,
    )
    return replace(measurement, inferred={**inferred, **_said_of_runs(measurement)})


def _within_limit(shape: Shape, limit: int) -> None:
    dims = 1
    for size in shape:
        dims *= size
    if dims > limit:
        gigabytes = 8 * dims * dims / 1e9
        raise CannotCheckError(
            "LDJ007",
            f"{dims} dims are above the limit of {limit}.",
            (
                f"The Jacobian of one sample alone takes {gigabytes:.2g} GB in float64.",
                "A mistake shows at small sizes too: try --shape 1,4,4",
                f"Or allow it: --dims-limit {dims}",
            ),
        )


def _said_of_runs(measurement: Measurement) -> dict[str, str]:
    """Return what was seen through, in the words of the report."""
    said = {}
    for side in (measurement.measured[0].forward, measurement.measured[0].inverse):
        if getattr(side, "wrt", None) == "noise":
            said["wrt"] = "noise: a random draw made in the call enters the output"
        if getattr(side, "rounding_seen", False):
            said["rounding"] = "seen through: the output is rounded to whole numbers"
        if getattr(side, "detach_seen", False):
            said["detach"] = "seen through: without it autograd misses part of the map"
        jacobian = getattr(side, "jacobian", None)
        if jacobian is not None and jacobian.shape[1] != jacobian.shape[2]:
            rows, columns = jacobian.shape[1:]
            said["dims"] = (
                f"{columns} in, {rows} out: no determinant, nothing to compare"
            )
    return said


def _raised(comparison: Comparison) -> tuple[Finding, ...]:
    rule = rule_for("LDJ005")
    assert rule is not None
    return tuple(
        rule.finding(
            f"The {verdict.direction} direction raised {verdict.why}",
            direction=verdict.direction,
            evidence=verdict.raised,
        )
        for verdict in comparison.verdicts
        if verdict.raised
    )


def _status(
    findings: tuple[Finding, ...], comparison: Comparison, options: Options
) -> Status:
    """Return the status by the words of the contract: fail, error, unproven, pass."""
    grave = {"error", "warning"} if options.strict else {"error"}
    if any(f.severity in grave and not f.code.startswith("LDJ0") for f in findings):
        return "fail"
    if any(f.code.startswith("LDJ0") for f in findings):
        return "error"
    checks: tuple[Check, ...] = comparison.checks
    if any(f.severity == "unproven" for f in findings) or any(
        c.status == "unproven" for c in checks
    ):
        return "unproven"
    proved = any(c.name == "ldj" and c.status == "pass" for c in checks)
    return "pass" if proved else "unproven"


def _kind(comparison: Comparison) -> Any:
    noisy = any(v.check.wrt == "noise" for v in comparison.verdicts)
    return "dequantization" if noisy else "bijection"


def _shapes(
    shape: Sequence[int] | Mapping[str, Sequence[int]] | None,
) -> tuple[tuple[str | None, Shape], ...]:
    from collections.abc import Mapping as AnyMapping

    if shape is None:
        return ()
    if isinstance(shape, AnyMapping):
        return tuple((name, tuple(sizes)) for name, sizes in shape.items())
    return ((None, tuple(shape)),)


def _name(layer: Any) -> str:
    named = getattr(
        layer, "__qualname__", None
    )  # functions and classes name themselves
    return named if isinstance(named, str) else f"{type(layer).__name__}()"
