"""Layers that take a dict, as a batch comes from a loader: `f({"x": x}) -> (y, ldj)`.

Which keys it has says the source: the first that it reads is the input, and others are a
total or contexts, by their names. The way back may take the same, or y alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.parameter_names import is_total
from ldjcheck.calling.results import unpacked, written_in
from ldjcheck.calling.signature import (
    Signature,
    call_signature,
    caller,
    inverse_method,
    signature_of,
)
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Way


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    keys = () if signature is None else _keys(signature)
    if signature is None or not keys or is_total(keys[0]):
        return
    flag, method = signature.way_flag(), inverse_method(layer)
    inverse: CallFunction | None = None
    if flag is not None:
        inverse = _call(keys, flag.inverse)
    elif method is not None:
        back = signature_of(getattr(layer, method))
        inverse = _call(() if back is None else _keys(back), method=method)
    shown = ", ".join(repr(key) for key in keys)
    yield Calls(
        convention=CONVENTION.name,
        signature=f"f({{{shown}}}) -> (y, ldj)",
        forward=Way(call=_call(keys, flag.forward if flag else {})),
        inverse=Way.of(inverse),
        accumulates=any(map(is_total, keys)),
        context_names=(*signature.contexts(), *_contexts(keys)),
        extra_names=signature.extras(),
        inferred=CONVENTION.says(f"it looks up {shown} in its argument"),
    )


def _keys(signature: Signature) -> tuple[str, ...]:
    """Return the keys that a function looks up in its input, the input's own first."""
    found = dict[tuple[int, int], str]()
    for node in written_in(signature.function) if signature.names else ():
        owner: ast.AST | None = None
        key: ast.AST | None = None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            owner, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_lookup = node.func.attr in ("get", "pop") and node.args
            owner, key = (node.func.value, node.args[0]) if is_lookup else (None, None)
        if not isinstance(owner, ast.Name) or owner.id != signature.input:
            continue
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            found[owner.lineno, owner.col_offset] = key.value
    keys = dict.fromkeys(found[at] for at in sorted(found))
    return tuple(sorted(keys, key=is_total))


def _contexts(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for key in keys[1:] if not is_total(key))


def _call(
    keys: tuple[str, ...],
    fixed: Mapping[str, Any] | None = None,
    *,
    method: str | None = None,
) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        function = caller(layer, method)
        named = {**(fixed or {}), **kwargs}
        given: Any = x
        if keys:
            along = {key: named.pop(key, None) for key in _contexts(keys)}
            totals = {key: start for key in keys[1:] if is_total(key)}
            given = {keys[0]: x, **along, **totals}
        result = function(given, **named)
        if isinstance(result, Mapping):  # which may be what was given, and more
            result = {k: v for k, v in result.items() if k not in _contexts(keys)}
        return unpacked(result, x, function)

    return call


CONVENTION = Convention(
    name="keys",
    summary='f({"x": x}) -> (y, ldj), a dict in which the layer looks up its input',
    recognise=_recognise,
)
