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

from ldjcheck import probe
from ldjcheck.checking.feeding import with_optional_context
from ldjcheck.checking.setting import settle_layer, settled_otherwise
from ldjcheck.compare.judgement import silenced
from ldjcheck.errors import CannotCheckError
from ldjcheck.rules import rule_for
from ldjcheck.tolerance import says_nothing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ldjcheck.checking.setting import Setting
    from ldjcheck.records import Config, Options, Result

    Checked = Callable[[Setting, Options, tuple[Config, ...]], Result]
    GlancedAt = Callable[[Setting, Options], Result]

_PADDED = 2  # configurations that must tell the same
_OF_THE_MAP = {"LDJ304", "LDJ207", "LDJ208", "LDJ209", "LDJ301"}


def asked_besides(
    setting: Setting,
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
        result = _as_density(setting, options, result, checked)
    if result.status == "pass":
        result = _in_training_too(setting, options, result, checked)
    if result.status == "pass":
        result = _without_gradients_too(setting, options, result)
    if result.status == "pass":
        result = _with_padding_too(setting, options, result)
    if result.status == "pass" or _is_idle(result):
        result = _with_context_too(setting, options, result, checked, glanced_at)
    return result


def _is_left_unsummed(result: Result) -> bool:
    """Return whether all that is wrong with an ldj is that it has an entry per dim."""
    wrong = {finding.code for finding in result.findings if finding.severity == "error"}
    return wrong == {"LDJ202"}


def _as_density(
    setting: Setting, options: Options, result: Result, checked: Checked
) -> Result:
    """Return the result of the flow's own density, which may sum what its call does not."""
    from ldjcheck.conventions import densities

    asked = (options.kind, options.convention) == ("auto", "auto")
    names = [name for name, *_ in densities(setting.layer.obj)]
    if not (asked and names) or options.adapter is not None:
        return result
    model = replace(options, kind="model")
    try:
        again = checked(settle_layer(setting.layer, model), model, ())
    except CannotCheckError:
        return result
    if again.status not in ("pass", "fail"):
        return result
    said = "entries per dim, which its density adds up: that is what is checked"
    return replace(again, inferred={"ldj": said, **again.inferred})


def _with_context_too(
    setting: Setting,
    options: Options,
    result: Result,
    checked: Checked,
    glanced_at: GlancedAt,
) -> Result:
    from ldjcheck.measure import is_the_same_map

    settled = with_optional_context(setting.layer, setting.settled, options)
    if settled is None:
        return result
    fed = settled.workshop.options
    told = ", ".join(f"{name}={shape}" for name, shape in fed.context)
    if is_the_same_map(setting.settled, settled):
        said = f"right without it; {told} changes nothing"
        return replace(result, inferred={"context": said, **result.inferred})
    again = result
    if result.status == "pass":
        again = glanced_at(settled_otherwise(setting, settled), fed)
    if again.status != "pass":
        again = checked(settle_layer(setting.layer, fed), fed, ())
    if again.status == "fail" and _is_of_value(again):
        said = f"{told}: right without it, wrong with it"
        return replace(again, inferred={"context": said, **again.inferred})
    if again.status == "pass" and result.status != "pass":
        said = f"{told}: without it the layer changes nothing"
        return replace(again, inferred={"context": said, **again.inferred})
    said = f"right without it; with {told}: {again.status}"
    return replace(result, inferred={"context": said, **result.inferred})


def _in_training_too(
    setting: Setting, options: Options, result: Result, checked: Checked
) -> Result:
    """Return what is wrong in training alone, where the map is the same and the ldj is not."""
    from ldjcheck.measure import otherwise

    if options.mode == "train" or otherwise(setting.settled, "training") is None:
        return result
    training = replace(options, mode="train")
    again = checked(settle_layer(setting.layer, training), training, ())
    if again.status != "fail" or not _is_of_value(again):
        return result
    said = "train: right in evaluation, wrong in training"
    return replace(again, inferred={"mode": said, **again.inferred})


def _without_gradients_too(
    setting: Setting, options: Options, result: Result
) -> Result:
    """Return what is wrong under `torch.no_grad()` alone, where the map is the same."""
    from ldjcheck.measure import otherwise

    told = otherwise(setting.settled, "without gradients")
    if told is None:
        return result
    usual, without = told
    nothing = says_nothing(without, math.prod(setting.settled.shape))
    return _with_finding(
        result,
        options,
        "LDJ119" if nothing else "LDJ199",
        "Without gradients, under `torch.no_grad()`, the log-determinant is "
        + ("0." if nothing else "another one."),
        (
            "same input, same output, and right with gradients:",
            *(
                f"sample {index}: {float(w):+.6g} without, {float(u):+.6g} with them"
                for index, (w, u) in enumerate(zip(without, usual, strict=True))
            ),
        ),
    )


def _with_padding_too(setting: Setting, options: Options, result: Result) -> Result:
    """Return what is wrong where a mask leaves out the end of a sample."""
    from ldjcheck.measure import padding_told

    masked = _masked(setting, options)
    if masked is None:
        return result
    settled = masked.settled
    configs = probe.plan_configs(
        settled.shape,
        masked.others,
        settled.domain,
        options,
        has_parameters=setting.has_parameters,
    )
    longest = sorted(configs, key=lambda config: -math.prod(config.shape))
    told = padding_told(settled, tuple(longest[:_PADDED]))
    if told is None:
        return result
    return _with_finding(
        result,
        options,
        "LDJ113" if told.counted else "LDJ199",
        "The log-determinant also counts what the mask leaves out."
        if told.counted
        else "The log-determinant is wrong where the mask leaves something out.",
        (
            "right where the mask keeps all; where it leaves out the end of a sample:",
            *(f"reported {r:+.6g}, exact {e:+.6g}" for r, e in told.numbers[:3]),
            "exact is that of what is kept: what is left out becomes zero",
        ),
    )


def _masked(setting: Setting, options: Options) -> Setting | None:
    """Return the setting with a mask, which may be one that can be left out; or None."""
    settled = setting.settled
    fed = settled.workshop.options.context
    if fed:
        return setting if any("mask" in name for name, _ in fed) else None
    calls = settled.calls
    masks = {name for name in calls.extra_names if "mask" in name}
    if not masks or options.context:
        return None
    at = ((settled.shape, settled.why_shape),)
    known = {name for name, _ in options.kwarg}
    for guess in probe.guess_contexts(setting.layer.obj, (calls,), at, known):
        if len(guess.contexts) == 1 and guess.contexts[0][0] in masks:
            with contextlib.suppress(CannotCheckError):
                masked = replace(options, context=guess.contexts)
                return settle_layer(setting.layer, masked)
    return None


def _with_finding(
    result: Result,
    options: Options,
    code: str,
    message: str,
    evidence: tuple[str, ...],
) -> Result:
    """Return the result with a mistake of the way there, unless it is not to count."""
    rule = rule_for(code)
    assert rule is not None
    finding = rule.finding(message, direction="forward", evidence=evidence)
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
