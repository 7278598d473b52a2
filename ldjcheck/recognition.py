"""Whether something that was found in a source is a flow layer at all.

A source holds conditioner networks, encoders and losses too. What they return may look
like a pair; a trial run, and what the check has shown, tell them from flow layers.
"""

import ast
import inspect
import re
import textwrap
from dataclasses import replace
from math import prod
from typing import Any

from ldjcheck.checking import returned_shapes
from ldjcheck.conventions import not_taken, recognise_conventions, two_methods, untaken
from ldjcheck.conventions.distributions import sampler
from ldjcheck.mistakes.attribution.precedence import follows_a_law
from ldjcheck.mistakes.inverse import not_invertible
from ldjcheck.object_graph import is_empty
from ldjcheck.records import Layer, Options, Result

_UNCALLABLE = ("LDJ004", "LDJ005", "LDJ006")
_ONE_NUMBER = "an output of shape () and no ldj"
_NETWORKS_TOO = ("pair", "mode", "sequence", "density", "sampler")
"""The conventions by which a network that is no flow layer may be called as well."""
_LDJ = re.compile(
    r"ldj|ladj|log_?det|log_?abs|jac|dlogp|divergence|\bld\b|\btrace\b", re.IGNORECASE
)
"""Names that flows have for it; a continuous one has a trace or a divergence."""
_LOG = re.compile(
    r"(?<![a-z])(log|log1p|log2|log10|exp|exp2|expm1|slogdet|logdet|softplus|logsigmoid)\("
)
"""Calls that make an ldj, or the scale that it is the logarithm of."""
_DRAWS = re.compile(r"(?<![a-z])(randn|randn_like|rsample|normal|normal_)\(")
"""Calls that draw what an autoencoder decodes."""


def why_no_flow(layer: Layer, result: Result, options: Options) -> str | None:
    """Return why a layer that was found, and checked, is no flow layer; None if it is.

    A running total that is passed in, a way back or a transform's methods settle it. Else
    what it returns beside y must be right, or meant as an ldj. It is where it is named so,
    where a law of the catalogue says how it is off, or where it is one number per sample
    beside as many numbers as were taken, and made with a logarithm or an exponential.
    """
    if _is_left_to_subclasses(result):
        return "a base class: it raises NotImplementedError"
    if result.kind == "model" and options.kind != "model":
        # an encoder's or a mixture's density is no flow's
        codes = {finding.code for finding in result.findings}
        is_map = not_invertible.RULE.code not in codes
        if result.status == "pass" or result.beside_right or "LDJ501" in codes:
            return None
        draws = result.convention == sampler.CONVENTION.name
        if is_map and (follows_a_law(result) or (draws and result.status == "fail")):
            return None
        return "it has a density: name it to check it as a model"
    if _is_one_number(result):
        return _or_as_model("no flow layer: it returns one number", result)
    vacuous = {f.code for f in result.findings} == {"LDJ401"}
    if is_empty(layer.obj) and (vacuous or result.status == "error"):
        blanks = ", ".join(_parameters(layer.obj)) or "..."
        return f"it holds no layers: give it some, as in '{layer.target}({blanks})'"
    codes = {finding.code for finding in result.findings}
    calls = [
        each
        for each in recognise_conventions(layer.obj, options.convention)
        if "LDJ004" not in codes or each.convention != two_methods.CONVENTION.name
    ]  # whatever scales, or compresses, has a method for each way
    if any(c.accumulates or c.inverse is not None for c in calls):
        return None
    if any(c.convention not in _NETWORKS_TOO for c in calls):
        return None
    if "LDJ004" in codes:
        why = "no flow layer: it returns no pair of output and ldj"
        return _or_as_model(why, result)
    if result.status == "error" and codes & set(_UNCALLABLE):
        return f"no flow layer that I know how to call: {result.findings[0].message}"
    text = _source(layer.obj)
    if not_invertible.RULE.code in codes and _DRAWS.search(text):
        return "no flow layer: it decodes what it draws, which is of fewer dims"
    if result.status == "pass" or _LDJ.search(text):
        return None
    shape = next((c.shape for c in result.checks if c.shape is not None), None)
    shapes = None if shape is None else returned_shapes(layer, options, shape)
    if shapes is None:
        return None
    x, y, ldj = shapes
    if prod(y) != prod(x):
        return f"no flow layer: it returns {prod(y)} numbers for {prod(x)}, and no ldj"
    if follows_a_law(result):
        return None
    if prod(ldj) not in (1, x[0]):
        return f"no flow layer: what it returns beside y has the shape {ldj}"
    if not any(check.status == "fail" for check in result.checks):
        return None
    is_meant = ldj and _LOG.search(text)
    return None if is_meant else "no flow layer: what it returns beside y is no ldj"


def _or_as_model(why: str, result: Result) -> str:
    """Return a reason, and how the density of what is no layer can be checked."""
    hints = (line for finding in result.findings for line in finding.evidence)
    return ". ".join((why, *(h for h in hints if h.startswith("To check its"))))


def _parameters(obj: object) -> tuple[str, ...]:
    """Return what an object's class is built of, as its signature has it."""
    try:
        parameters = inspect.signature(type(obj)).parameters.values()
    except (TypeError, ValueError):
        return ()
    starred: dict[object, str] = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    return tuple(f"{starred.get(p.kind, '')}{p.name}" for p in parameters)


def without_untaken(layer: Layer, options: Options) -> tuple[Options, dict[str, str]]:
    """Return the options without what the layer does not take, and what to say of it.

    That is said by the name of the argument.
    """
    given = [*(each.name for each in options.context), *dict(options.kwarg)]
    if not given or options.adapter is not None:
        return options, {}
    ways = recognise_conventions(layer.obj, options.convention)
    strange = untaken(layer.obj, ways, given)
    kept = replace(
        options,
        context=tuple(each for each in options.context if each[0] not in strange),
        kwarg=tuple(each for each in options.kwarg if each[0] not in strange),
    )
    return kept, {name: not_taken(layer.obj, ways, name) for name in strange}


def _is_one_number(result: Result) -> bool:
    """Return whether all that came back, however it was called, is a loss and the like."""
    got = [
        line.partition("got")[2].strip()
        for finding in result.findings
        if finding.code == "LDJ004"
        for line in finding.evidence
        if line.startswith("got ")
    ]
    return bool(got) and all(each == _ONE_NUMBER for each in got)


def _is_left_to_subclasses(result: Result) -> bool:
    return result.status == "error" and any(
        finding.code in _UNCALLABLE and "NotImplementedError" in finding.message
        for finding in result.findings
    )


def _source(obj: Any) -> str:
    """Return the code, without its remarks, of what is called and of what that calls.

    Methods of its own class and functions of its own module are followed, a library's
    are not.
    """
    start = getattr(type(obj), "forward", obj)
    is_torchs = getattr(start, "__module__", "").partition(".")[0] == "torch"
    if is_torchs or (start is obj and not inspect.isroutine(obj)):
        start = getattr(type(obj), "__call__", None)  # noqa: B004 - not whether, but what
    waiting, read, texts = [start], set[int](), list[str]()
    while waiting:
        function = inspect.unwrap(waiting.pop())
        code = getattr(function, "__code__", None)
        if code is None or id(code) in read:
            continue
        read.add(id(code))
        texts.append(_text(function))
        names = set(code.co_names)
        called = [vars(each).get(name) for each in type(obj).__mro__ for name in names]
        called += [function.__globals__.get(name) for name in names]
        waiting += [
            each
            for each in called
            if inspect.isfunction(each) and each.__module__ == function.__module__
        ]
    return "\n".join(texts)


def _text(function: Any) -> str:
    try:
        return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))
    except (OSError, TypeError, SyntaxError):
        return ""
