"""Layers that take input and running total as one argument: `f((x, ldj)) -> (y, ldj)`.

Written so that `nn.Sequential` can chain them, which hands on one thing only. Such a chain
is called as it is: what a layer makes of the total that comes in is then seen as well. A
context may go along, and comes back as it was: `f((x, ldj, c)) -> (y, ldj, c)`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
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
    taken = _taken(layer)
    signature = call_signature(layer)
    if not taken or signature is None:
        return
    total, *contexts = taken
    flag = signature.way_flag()
    inverse: CallFunction | None = None
    if flag is not None:
        inverse = _call(contexts, flag.inverse)
    elif _is_row(layer):
        inverse = _back(contexts) if all(map(_method_back, layer)) else None
    elif (method := _method_back(layer)) is not None:
        inverse = _call(contexts, method=method)
    both = ", ".join(taken)
    yield Calls(
        convention=CONVENTION.name,
        signature=f"f((x, {both})) -> (y, {both})",
        forward=Way(call=_call(contexts, flag.forward if flag else {})),
        inverse=Way.of(inverse),
        accumulates=True,
        sign=-1 if is_density(total) else 1,
        context_names=(*signature.contexts(), *contexts),
        extra_names=signature.extras(),
        inferred=CONVENTION.says(
            f"it takes x and {', '.join(map(repr, taken))} in a tuple"
        ),
    )


def _taken(layer: Any) -> tuple[str, ...]:
    """Return what a layer calls the total that it takes beside x, and what goes along."""
    if _is_row(layer):
        taken = [_taken(part) for part in layer]
        return taken[0] if taken and len({*map(len, taken)}) == 1 else ()
    signature = call_signature(layer)
    return () if signature is None else _unpacked(signature)


def _is_row(layer: Any) -> bool:
    return isinstance(layer, nn.Sequential) and (
        type(layer).forward is nn.Sequential.forward
    )


def _unpacked(signature: Signature) -> tuple[str, ...]:
    """Return the names of what a function's input is taken into behind x, the total first.

    Either it unpacks its input, `x, ldj = inputs`, or it looks up the second of it. Whatever
    it is called, nothing but the second of what comes back is made of it, and it scales
    nothing: what is a context, or another half, goes into the first, and a mask is a factor.
    What goes along comes back in its place, under its name.
    """
    tree = source_of(signature.function) if signature.names else None
    returned = returned_expressions(signature.function)
    if tree is None or len(returned) == 1:
        return ()
    along = [part.id if isinstance(part, ast.Name) else "" for part in returned[2:]]
    seconds, made = list[str](), dict[str, list[ast.expr]]()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AugAssign)) and node.value:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target, value in _paired(targets[0], node.value):
                parts = target.elts if isinstance(target, ast.Tuple) else []
                others = [getattr(part, "id", None) for part in parts[2:]]
                if len(parts) >= 2 and others == along and _is_input(value, signature):
                    target = parts[1]
                elif along or not _is_second(value, signature):
                    for each in ast.walk(target):
                        if isinstance(each, ast.Name):
                            made.setdefault(each.id, []).append(value)
                    continue
                seconds += [target.id] if isinstance(target, ast.Name) else []

    if not returned:  # it hands both on, to its base class perhaps: a name has to do
        return tuple(filter(is_total, seconds))[:1]

    def is_made_of_it(part: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
        names = {n.id for n in ast.walk(part) if isinstance(n, ast.Name)} - seen
        return (
            (not along and any(_is_second(node, signature) for node in ast.walk(part)))
            or not names.isdisjoint(seconds)
            or any(
                is_made_of_it(v, seen | names) for n in names for v in made.get(n, ())
            )
        )

    scaled = [n for n in ast.walk(tree) if isinstance(n, ast.BinOp)]
    scaled = [n for n in scaled if not isinstance(n.op, (ast.Add, ast.Sub))]
    factors = {getattr(part, "id", "") for n in scaled for part in (n.left, n.right)}
    if is_made_of_it(returned[0]) or not factors.isdisjoint(seconds):
        return ()
    if seconds:
        return (seconds[0], *along)
    if along or not is_made_of_it(returned[1]):
        return ()
    return (returned_names(signature.function)[1],)


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
    return method if back is not None and _unpacked(back) else None


def _call(
    contexts: Sequence[str],
    fixed: Mapping[str, Any] | None = None,
    *,
    method: str | None = None,
) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        function = caller(layer, method)
        named = {**(fixed or {}), **kwargs}
        along = [named.pop(name, None) for name in contexts]
        return unpacked(function((x, start, *along), **named), x, function)

    return call


def _back(contexts: Sequence[str]) -> CallFunction:
    """Return a call of what the layers of a row make of y, the last one first."""

    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        named = dict(kwargs)
        given = x, start, *(named.pop(name, None) for name in contexts)
        for part in reversed(layer):
            method = _method_back(part)
            assert method is not None
            given = getattr(part, method)(given, **named)
        return Returned(y=given[0], ldj=given[1])

    return call


CONVENTION = Convention(
    name="in-one",
    summary="f((x, ldj)) -> (y, ldj): as nn.Sequential chains them",
    recognise=_recognise,
)
