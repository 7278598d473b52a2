"""Layers that take input and running total as one argument: `f((x, ldj)) -> (y, ldj)`.

Written so that `nn.Sequential` can chain them, which hands on one thing only. Such a chain
is called as it is: what a layer makes of the total that comes in is then seen as well.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.parameter_names import is_density, is_total
from ldjcheck.calling.results import (
    returned_expressions,
    returned_names,
    source_of,
    unpacked,
)
from ldjcheck.calling.signature import (
    Signature,
    call_signature,
    caller,
    inverse_method,
    signature_of,
)
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Way


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
        inferred=CONVENTION.says(f"it takes x and {total!r} in a tuple"),
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

    Either it unpacks its input, `x, ldj = inputs`, or it looks up the second of it. Whatever
    it is called, nothing but the second of what comes back is made of it, and it scales
    nothing: what is a context, or another half, goes into the first, and a mask is a factor.
    """
    tree = source_of(signature.function) if signature.names else None
    returned = returned_expressions(signature.function)
    if tree is None or len(returned) not in (0, 2):
        return None
    seconds, made = list[str](), dict[str, list[ast.expr]]()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AugAssign)) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target, value in _paired(targets[0], node.value):
                parts = target.elts if isinstance(target, ast.Tuple) else []
                if len(parts) == 2 and _is_input(value, signature):
                    target = parts[1]
                elif not _is_second(value, signature):
                    for each in ast.walk(target):
                        if isinstance(each, ast.Name):
                            made.setdefault(each.id, []).append(value)
                    continue
                seconds += [target.id] if isinstance(target, ast.Name) else []

    if not returned:  # it hands both on, to its base class perhaps: a name has to do
        return next(filter(is_total, seconds), None)

    def is_made_of_it(part: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
        names = {n.id for n in ast.walk(part) if isinstance(n, ast.Name)} - seen
        return (
            any(_is_second(node, signature) for node in ast.walk(part))
            or not names.isdisjoint(seconds)
            or any(
                is_made_of_it(v, seen | names) for n in names for v in made.get(n, ())
            )
        )

    scaled = [n for n in ast.walk(tree) if isinstance(n, ast.BinOp)]
    scaled = [n for n in scaled if not isinstance(n.op, (ast.Add, ast.Sub))]
    factors = {getattr(part, "id", "") for n in scaled for part in (n.left, n.right)}
    if is_made_of_it(returned[0]) or not factors.isdisjoint(seconds):
        return None
    if seconds:
        return seconds[0]
    return returned_names(signature.function)[1] if is_made_of_it(returned[1]) else None


def _paired(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield what is assigned to what: by places, where both sides are tuples."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        yield from zip(target.elts, value.elts, strict=False)
    else:
        yield target, value


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
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        function = caller(layer, method)
        result = function((x, start), **{**(fixed or {}), **kwargs})
        return unpacked(result, x, function)

    return call


def _back(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
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
