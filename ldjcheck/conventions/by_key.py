"""Layers that take a dict, as a batch comes from a loader: `f({"x": x}) -> (y, ldj)`.

Which keys it has says the source: the first that it reads is the input, and others are
contexts; one that comes back with something added to it is a total, and so is one that is
named so. The way back may take the same, or y alone.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.parameter_names import METHODS_OF_WAYS, is_total
from ldjcheck.calling.results import returned_alone, unpacked, written_in
from ldjcheck.calling.signature import (
    Signature,
    call_signature,
    caller,
    inverse_method,
    method_names,
    signature_of,
)
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Way


class _Keys(NamedTuple):
    """What a function looks up in its input: what is moved, a total, and contexts."""

    own: str
    total: str | None
    contexts: tuple[str, ...]

    def __str__(self) -> str:
        held = self.own, self.total, *self.contexts
        return ", ".join(repr(key) for key in held if key is not None)


def _recognise(layer: Any) -> Iterator[Calls]:
    there, method = None, inverse_method(layer)
    signature = call_signature(layer)
    if signature is None or not signature.names:
        own = method_names(layer)
        there = next((name for name in METHODS_OF_WAYS if name in own), None)
        backs = METHODS_OF_WAYS.get(there or "", ())
        method = next((name for name in backs if name in own), None)
        signature = signature_of(getattr(layer, there)) if there else None
    keys = None if signature is None else _keys(signature)
    if signature is None or keys is None:
        return
    flag = signature.way_flag()
    inverse: CallFunction | None = None
    if flag is not None:
        inverse = _call(keys, flag.inverse)
    elif method is not None:
        back = signature_of(getattr(layer, method))
        inverse = _call(None if back is None else _keys(back), method=method)
    yield Calls(
        convention=CONVENTION.name,
        signature=f"f({{{keys}}}) -> (y, ldj)",
        forward=Way(call=_call(keys, flag.forward if flag else {}, method=there)),
        inverse=Way.of(inverse),
        accumulates=keys.total is not None,
        context_names=(*signature.contexts(), *keys.contexts),
        extra_names=signature.extras(),
        inferred=CONVENTION.says(f"it looks up {keys} in its argument"),
    )


def _keys(signature: Signature) -> _Keys | None:
    """Return the keys that a function looks up in its input; None where there are none."""
    if not signature.names:
        return None
    found = dict[tuple[int, int], str]()
    for node in written_in(signature.function):
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
    moved = [key for key in keys if not is_total(key)]
    if not moved:
        return None
    own, *others = moved
    total = next(filter(is_total, keys), None) or _added_to(signature, others)
    return _Keys(own, total, tuple(key for key in others if key != total))


def _added_to(signature: Signature, keys: Sequence[str]) -> str | None:
    """Return which key comes back with something added, where nothing is named a total."""
    back = [
        each for each in returned_alone(signature.function) if type(each) is ast.Dict
    ]
    made = {
        str(key.value): value
        for each in back
        for key, value in zip(each.keys, each.values, strict=True)
        if isinstance(key, ast.Constant)
    }
    if any(map(is_total, made)):
        return None
    return next((key for key in keys if isinstance(made.get(key), ast.BinOp)), None)


def _call(
    keys: _Keys | None,
    fixed: Mapping[str, Any] | None = None,
    *,
    method: str | None = None,
) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        function = caller(layer, method)
        named = {**(fixed or {}), **kwargs}
        if keys is None:
            return unpacked(function(x, **named), x, function)
        given = {keys.own: x, **{key: named.pop(key, None) for key in keys.contexts}}
        if keys.total is not None:
            given[keys.total] = start
        result = function(given, **named)
        if isinstance(result, Mapping):  # which may be what was given, and more
            if any(result.get(k, given[k]) is not given[k] for k in keys.contexts):
                raise TypeError("what is taken for a context comes back as another")
            held = {k: v for k, v in result.items() if k not in keys.contexts}
            if keys.total in held and len(held) == 2:
                return Returned(ldj=held.pop(keys.total), y=next(iter(held.values())))
            result = held
        return unpacked(result, x, function)

    return call


CONVENTION = Convention(
    name="keys",
    summary='f({"x": x}) -> (y, ldj), a dict in which the layer looks up its input',
    recognise=_recognise,
)
