"""Layers that take input and running total as one argument: `f((x, ldj)) -> (y, ldj)`.

Written so that `nn.Sequential` can chain them, which hands on one thing only. Such a chain
is called as it is: what a layer makes of the total that comes in is then seen as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.parameter_names import is_density, is_total
from ldjcheck.calling.results import returned_names, source_of, unpacked
from ldjcheck.calling.signature import (
    Signature,
    call_signature,
    caller,
    inverse_method,
    signature_of,
)
from ldjcheck.records import CallFunction, Calls, Returned, Way


def _recognise(layer: Any) -> Iterator[Calls]:
    total = _total(layer)
    signature = call_signature(layer)
    if total is None or signature is None:
        return
    flag = signature.way_flag()
    inverse: CallFunction | None = None
    if flag is not None:
        inverse = _call(flag.inverse)
    elif _is_row(layer):
        inverse = _back if all(map(_method_back, layer)) else None
    elif (method := _method_back(layer)) is not None:
        inverse = _call(method=method)
    yield Calls(
        convention=CONVENTION.name,
        signature=f"f((x, {total})) -> (y, {total})",
        forward=Way(call=_call(flag.forward if flag else {})),
        inverse=Way.of(inverse),
        accumulates=True,
        sign=-1 if is_density(total) else 1,
        context_names=signature.contexts(),
        extra_names=signature.extras(),
        inferred=(
            ("convention", f"{CONVENTION.name}: it takes x and {total!r} in a tuple"),
        ),
    )


def _total(layer: Any) -> str | None:
    """Return what a layer calls the total that it takes beside x; None if it takes none."""
    if _is_row(layer):
        totals = [_total(part) for part in layer]
        return totals[0] if totals and all(totals) else None
    signature = call_signature(layer)
    return None if signature is None else _unpacked_total(signature)


def _is_row(layer: Any) -> bool:
    return isinstance(layer, nn.Sequential) and (
        type(layer).forward is nn.Sequential.forward
    )


def _unpacked_total(signature: Signature) -> str | None:
    """Return the name of the second of two things that a function's input is taken into.

    Either it unpacks its input, `x, ldj = inputs`, or it looks up the second of it.
    """
    tree = source_of(signature.function) if signature.names else None
    for node in ast.walk(tree) if tree is not None else ():
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            continue
        target, value = node.targets[0], node.value
        names: list[ast.expr] = []
        if _is_input(value, signature) and isinstance(target, ast.Tuple):
            names = target.elts if len(target.elts) == 2 else []
        elif isinstance(value, ast.Tuple) and isinstance(target, ast.Tuple):
            pairs = zip(target.elts, value.elts, strict=False)
            names = [t for t, v in pairs if _is_second(v, signature)]
        elif _is_second(value, signature):
            names = [target]
        name = names[-1].id if names and isinstance(names[-1], ast.Name) else ""
        if is_total(name) or is_density(name):
            return name
    told = returned_names(signature.function)
    looks_up = any(_is_second(n, signature) for n in ast.walk(tree)) if tree else False
    return told[1] if looks_up and len(told) == 2 and is_total(told[1]) else None


def _is_input(node: ast.AST, signature: Signature) -> bool:
    return isinstance(node, ast.Name) and node.id == signature.input


def _is_second(node: ast.AST, signature: Signature) -> bool:
    return (
        isinstance(node, ast.Subscript)
        and _is_input(node.value, signature)
        and isinstance(node.slice, ast.Constant)
        and node.slice.value == 1
    )


def _method_back(layer: Any) -> str | None:
    """Return the method of a layer that leads back, if it takes and returns the same."""
    method = inverse_method(layer)
    back = signature_of(getattr(layer, method)) if method else None
    return method if back is not None and _unpacked_total(back) else None


def _call(
    fixed: Mapping[str, Any] | None = None, *, method: str | None = None
) -> CallFunction:
    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        function = caller(layer) if method is None else getattr(layer, method)
        result = function((x, start), **{**(fixed or {}), **kwargs})
        return unpacked(result, x, function)

    return call


def _back(
    layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
) -> Returned:
    """Return what the layers of a row make of y, the last one first."""
    z, total = x, start
    for part in reversed(layer):
        method = _method_back(part)
        assert method is not None
        z, total = getattr(part, method)((z, total), **kwargs)
    return Returned(y=z, ldj=total)


CONVENTION = Convention(
    name="in-one",
    summary="f((x, ldj)) -> (y, ldj): as nn.Sequential chains them",
    recognise=_recognise,
)
