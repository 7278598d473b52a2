"""Layers that return output and ldj: `(x) -> (y, ldj)`, with an optional way back.

The way back is a flag of the same call (`reverse=True`) or a method (`inverse`,
`backward`, `reverse`). A way back that returns no ldj reports none. A flag that asks for
the ldj, `return_logdet=False`, is on where the call without it has none.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ldjcheck.calling.convention import (
    Convention,
    Wrap,
    layer_call,
    method_call,
    only_call,
)
from ldjcheck.calling.parameter_names import NO_CALL
from ldjcheck.calling.results import unnamed_total, written_in
from ldjcheck.calling.signature import (
    Signature,
    call_signature,
    signature_of,
    total_name,
    ways_back,
)
from ldjcheck.records import CallFunction, Calls, Way

_RECONSTRUCTING = ("reconstruct", "reconstruction", "recon", "deterministic")
"""Keyword names, met in the wild, that tell the way back to draw nothing anew."""


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if signature is None or not (signature.names or _hands_on(signature)):
        return
    total = total_name(signature)
    if total is not None and total[0] in signature.required:
        return  # it cannot be called without a running total
    if total is None and unnamed_total(signature) is not None:
        return
    if asks := signature.asks():
        for calls in _called(layer, signature, total, {}):
            yield replace(calls, plain=True)
    yield from _called(layer, signature, total, asks)


def _called(
    layer: Any,
    signature: Signature,
    total: tuple[str, bool] | None,
    asks: Mapping[str, bool],
) -> Iterator[Calls]:
    """Yield how the layer is called with flags that ask for the ldj, or without any."""
    flag, method = ways_back(layer, signature)
    inverse: CallFunction | None = None
    if flag is not None:
        inverse = layer_call({**flag.inverse, **asks})
        way_back = str(flag)
    elif (
        method is not None
        and (of_method := signature_of(getattr(layer, method))) is not None
    ):
        inverse = method_call(method, of_method.asks() if asks else {})
        way_back = f".{method}()"
    else:
        flag, way_back = None, "none found"
    known = total[0] if total else None
    back = signature_of(getattr(layer, method)) if method and not flag else None
    in_parts = back is not None and _takes_parts(signature, back)
    forward = flag.forward if flag and inverse else {}
    calls = Calls(
        convention=CONVENTION.name,
        signature=signature.show(f"y, ldj; way back: {way_back}"),
        forward=Way(
            call=layer_call({**forward, **asks}), asks=only_call({**forward, **asks})
        ),
        inverse=None
        if inverse is None
        else Way(
            call=inverse,
            names=back.extras() if back else (),
            others=tuple(_others(method, back)) if method and back else (),
        ),
        inputs=(signature.names[0], *signature.contexts()) if in_parts else (),
        context_names=() if in_parts else signature.contexts(known),
        extra_names=signature.extras(known),
        inferred=CONVENTION.says("the call returns y and ldj"),
    )
    yield calls
    if (wrapping := _wrapping(signature)) is not None:
        wrap, shown = wrapping
        if flag is not None:
            inverse = layer_call({**flag.inverse, **asks}, wrap=wrap)
        elif inverse is not None and method is not None:
            given = back.asks() if back and asks else {}
            inverse = method_call(method, given, wrap=wrap)
        yield replace(
            calls,
            signature=signature.show(f"y, ldj, of {shown}; way back: {way_back}"),
            forward=Way(call=layer_call({**forward, **asks}, wrap=wrap)),
            inverse=None
            if inverse is None or calls.inverse is None
            else replace(calls.inverse, call=inverse),
            inferred=CONVENTION.says(f"it takes {shown}"),
        )


def _takes_parts(signature: Signature, back: Signature) -> bool:
    """Return whether both ways take several inputs: `f(x1, x2)` and `inverse(y1, y2)`.

    A context has the same name on the way back, or is not given there at all.
    """
    there, others = signature.contexts(), back.contexts()
    return len(there) == len(others) > 0 and not {*there} & {*others}


def _wrapping(signature: Signature) -> tuple[Wrap, str] | None:
    """Return what makes a call's input of a tensor, and how that reads, if its code says.

    It takes the first of a list, or the one key of a dict that it looks up.
    """
    keys: set[Any] = set()
    for node in written_in(signature.function) if signature.names else ():
        of, what = None, None
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            of, what = node.value, node.slice
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            of, what = node.value, ast.Constant(len(node.targets[0].elts) - 1)
        is_input = isinstance(of, ast.Name) and of.id == signature.input
        if is_input and isinstance(what, ast.Constant):
            keys.add(what.value)
    if 0 in keys:
        return (lambda x: [x]), "a list of one tensor"
    names = [key for key in keys if isinstance(key, str)]
    if len(names) == 1:
        return (lambda x: {names[0]: x}), f"a dict with the key {names[0]!r}"
    return None


def _others(method: str, signature: Signature) -> Iterator[tuple[str, CallFunction]]:
    """Yield how else a method may lead back: given what left on the way, and told to."""
    flags: list[tuple[str, dict[str, bool]]] = [("", {})]
    flags += [(f"{n}=True", {n: True}) for n in signature.names if n in _RECONSTRUCTING]
    for shown, fixed in flags:
        if fixed:
            yield f".{method}(y, {shown})", method_call(method, fixed)
        if extras := signature.extras():
            given = ", ".join(filter(None, ["*y", shown]))
            if signature.names[1:2] == extras[:1]:
                yield f".{method}({given})", method_call(method, fixed, spread=True)


def _hands_on(signature: Signature) -> bool:
    """Return whether the call is a wrapper's, `f(*args)`, and not a module without one."""
    name = getattr(signature.function, "__name__", "")
    return signature.takes_any_position and name != NO_CALL


CONVENTION = Convention(
    name="pair",
    summary="f(x) -> y, ldj: with .inverse(y), .backward(y), .reverse(y) or reverse=True",
    recognise=_recognise,
)
