"""Whether something that was found in a source is a flow layer at all.

A source holds conditioner networks, encoders and losses too. What they return may look
like a pair; a trial run, and what the check has shown, tell them from flow layers.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ldjcheck.checking.pipeline import returned_shapes
from ldjcheck.conventions import not_taken, recognise_conventions, untaken

if TYPE_CHECKING:
    from ldjcheck.records import Layer, Options, Result

_UNCALLABLE = ("LDJ004", "LDJ005", "LDJ006")
_LDJ = re.compile(r"ldj|ladj|log_?det|log_?abs|jac", re.IGNORECASE)
_LOG = re.compile(
    r"(?<![a-z])(log|log1p|log2|log10|exp|exp2|expm1|slogdet|logdet|softplus|logsigmoid)\("
)
"""Calls that make an ldj, or the scale that it is the logarithm of."""


def why_no_flow(layer: Layer, result: Result, options: Options) -> str | None:
    """Return why a layer that was found, and checked, is no flow layer; None if it is.

    A running total that is passed in, a way back or a transform's methods settle it. Else
    it must return as many numbers as it takes, and beside them one number per sample (or
    numbers that add up to the exact ldj) which is right, or meant as an ldj: named so, or
    made with a logarithm or beside an exponential.
    """
    if _is_left_to_subclasses(result):
        return "a base class: it raises NotImplementedError"
    if result.kind == "model" and options.kind != "model":
        # an encoder's or a mixture's density is no flow's
        passes = result.status == "pass"
        return None if passes else "it has a density: name it to check it as a model"
    calls = recognise_conventions(layer.obj, options.convention)
    if any(c.accumulates or c.inverse is not None for c in calls):
        return None
    if any(c.convention not in ("pair", "mode") for c in calls):
        return None
    codes = {finding.code for finding in result.findings}
    if "LDJ004" in codes:
        return "no flow layer: it returns no pair of output and ldj"
    if result.status == "error" and codes & set(_UNCALLABLE):
        return f"no flow layer that I know how to call: {result.findings[0].message}"
    if result.status == "pass" or "LDJ202" in codes:
        return None
    shape = next((c.shape for c in result.checks if c.shape is not None), None)
    shapes = None if shape is None else returned_shapes(layer, options, shape)
    if shapes is None:
        return None
    x, y, ldj = shapes
    if _size(y) != _size(x):
        return (
            f"no flow layer: it returns {_size(y)} numbers for {_size(x)}, and no ldj"
        )
    if _size(ldj) not in (1, x[0]):
        return f"no flow layer: what it returns beside y has the shape {ldj}"
    if not any(check.status == "fail" for check in result.checks):
        return None
    text = _source(layer.obj)
    is_meant = _LDJ.search(text) or (ldj and _LOG.search(text))
    return None if is_meant else "no flow layer: what it returns beside y is no ldj"


def without_untaken(layer: Layer, options: Options) -> tuple[Options, dict[str, str]]:
    """Return the options without what the layer does not take, and what to say of it.

    That is said by the name of the argument.
    """
    given = [name for name, _ in (*options.context, *options.kwarg)]
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


def _is_left_to_subclasses(result: Result) -> bool:
    return result.status == "error" and any(
        finding.code in _UNCALLABLE and "NotImplementedError" in finding.message
        for finding in result.findings
    )


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for each in shape:
        size *= each
    return size


def _source(obj: Any) -> str:
    """Return the code, without its remarks, of what is called."""
    function = getattr(obj, "forward", obj)
    try:
        text = textwrap.dedent(inspect.getsource(function))
        return ast.unparse(ast.parse(text))
    except (OSError, TypeError, SyntaxError):
        return ""
