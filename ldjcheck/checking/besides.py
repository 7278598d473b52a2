"""What is asked besides of a layer that passes: in training, with a context, with padding.

A flag that says whether the layer is training may lead to other code, and so may one that
says whether gradients are wanted. A context that may be left out brings in terms of its
own, and a mask leaves out others.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.judging.status import silenced
from ldjcheck.mistakes.naming.circumstances import with_padding, without_gradients
from ldjcheck.settling.contexts import with_optional_context
from ldjcheck.settling.guesses.contexts import guess_contexts
from ldjcheck.settling.subject import called_otherwise, settle_layer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ldjcheck.records import Finding, Options, Probe, Result
    from ldjcheck.settling.subject import Subject

    Checked = Callable[[Subject, Options, tuple[Probe, ...]], Result]
    GlancedAt = Callable[[Subject, Options], Result]

_PADDED = 2  # configurations that must tell the same
_OF_THE_MAP = {"LDJ304", "LDJ207", "LDJ208", "LDJ209", "LDJ301"}


def asked_besides(
    subject: Subject,
    options: Options,
    result: Result,
    checked: Checked,
    glanced_at: GlancedAt,
) -> Result:
    """Return the result, or what another way of calling the layer brings to light.

    What is the same map with more beside it is `glanced_at` first, and checked as a whole
    where its values are not right.
    """
    if _is_left_unsummed(result):
        result = _as_density(subject, options, result, checked)
    if result.status == "pass":
        result = _in_training_too(subject, options, result, checked)
    if result.status == "pass":
        result = _without_gradients_too(subject, options, result)
    if result.status == "pass":
        result = _with_padding_too(subject, options, result)
    if result.status == "pass" or _is_idle(result):
        result = _with_context_too(subject, options, result, checked, glanced_at)
    return result


def _is_left_unsummed(result: Result) -> bool:
    """Return whether all that is wrong with an ldj is that it has an entry per dim."""
    wrong = {finding.code for finding in result.findings if finding.severity == "error"}
    return wrong == {"LDJ202"}


def _as_density(
    subject: Subject, options: Options, result: Result, checked: Checked
) -> Result:
    """Return the result of the flow's own density, which may sum what its call does not."""
    from ldjcheck.conventions import densities

    asked = (options.kind, options.convention) == ("auto", "auto")
    names = [name for name, *_ in densities(subject.layer.obj)]
    if not (asked and names) or options.adapter is not None:
        return result
    model = replace(options, kind="model")
    try:
        again = checked(settle_layer(subject.layer, model), model, ())
    except CannotCheckError:
        return result
    if again.status not in ("pass", "fail"):
        return result
    said = "entries per dim, which its density adds up: that is what is checked"
    return replace(again, inferred={"ldj": said, **again.inferred})


def _with_context_too(
    subject: Subject,
    options: Options,
    result: Result,
    checked: Checked,
    glanced_at: GlancedAt,
) -> Result:
    from ldjcheck.settling.settle import is_the_same_map

    settled = with_optional_context(subject.bench, options, subject.why_shape)
    if settled is None:
        return result
    fed = settled.bench.options
    told = ", ".join(f"{name}={shape}" for name, shape in fed.context)
    if is_the_same_map(subject.bench, settled.bench):
        said = f"right without it; {told} changes nothing"
        return replace(result, inferred={"context": said, **result.inferred})
    again = result
    if result.status == "pass":
        again = glanced_at(called_otherwise(subject, settled), fed)
    if again.status != "pass":
        again = checked(settle_layer(subject.layer, fed), fed, ())
    if again.status == "fail" and _is_of_value(again):
        said = f"{told}: right without it, wrong with it"
        return replace(again, inferred={"context": said, **again.inferred})
    if again.status == "pass" and result.status != "pass":
        said = f"{told}: without it the layer changes nothing"
        return replace(again, inferred={"context": said, **again.inferred})
    said = f"right without it; with {told}: {again.status}"
    return replace(result, inferred={"context": said, **result.inferred})


def _in_training_too(
    subject: Subject, options: Options, result: Result, checked: Checked
) -> Result:
    """Return what is wrong in training alone, where the map is the same and the ldj is not."""
    from ldjcheck.settling.settle import otherwise

    if options.mode == "train" or otherwise(subject.bench, "training") is None:
        return result
    training = replace(options, mode="train")
    again = checked(settle_layer(subject.layer, training), training, ())
    if again.status != "fail" or not _is_of_value(again):
        return result
    said = "train: right in evaluation, wrong in training"
    return replace(again, inferred={"mode": said, **again.inferred})


def _without_gradients_too(
    subject: Subject, options: Options, result: Result
) -> Result:
    """Return what is wrong under `torch.no_grad()` alone, where the map is the same."""
    from ldjcheck.settling.settle import otherwise

    told = otherwise(subject.bench, "without gradients")
    if told is None:
        return result
    return _with_finding(
        result, options, without_gradients(*told, math.prod(subject.bench.shape))
    )


def _with_padding_too(subject: Subject, options: Options, result: Result) -> Result:
    """Return what is wrong where a mask leaves out the end of a sample."""
    from ldjcheck.experiments.padding import padding_told

    masked = _masked(subject, options)
    if masked is None:
        return result
    probes = masked.probes(options)
    longest = sorted(probes, key=lambda probe: -math.prod(probe.shape))
    told = padding_told(masked.bench, tuple(longest[:_PADDED]))
    if told is None:
        return result
    return _with_finding(result, options, with_padding(told))


def _masked(subject: Subject, options: Options) -> Subject | None:
    """Return the subject with a mask, which may be one that can be left out; or None."""
    bench = subject.bench
    fed = bench.options.context
    if fed:
        return subject if any("mask" in name for name, _ in fed) else None
    calls = bench.calls
    masks = {name for name in calls.extra_names if "mask" in name}
    if not masks or options.context:
        return None
    at = ((bench.shape, subject.why_shape),)
    known = {name for name, _ in options.kwarg}
    for guess in guess_contexts(subject.layer.obj, (calls,), at, known):
        if len(guess.contexts) == 1 and guess.contexts[0][0] in masks:
            with contextlib.suppress(CannotCheckError):
                masked = replace(options, context=guess.contexts)
                return settle_layer(subject.layer, masked)
    return None


def _with_finding(result: Result, options: Options, finding: Finding) -> Result:
    """Return the result with a mistake of the way there, unless it is not to count."""
    kept, ignored = silenced((finding,), options)
    return replace(
        result,
        status="fail" if kept else result.status,
        findings=(*kept, *result.findings),
        ignored=(*ignored, *result.ignored),
    )


def _is_idle(result: Result) -> bool:
    """Return whether all that is unproven is that the layer changes nothing."""
    return [finding.code for finding in result.findings] == ["LDJ401"]


def _is_of_value(result: Result) -> bool:
    """Return whether a number is wrong, and the map is one: what is fed may not fit it."""
    grave = {f.code for f in result.findings if f.severity == "error"}
    coupled = any(f.code == "LDJ207" for f in result.findings)  # in training: a warning
    return not coupled and not _OF_THE_MAP & grave
