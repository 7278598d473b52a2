"""Layers of several tensors: `f(*xs, inverse=False) -> (*ys, dlogp)`, dlogp `(batch, 1)`.

Told by a signature that takes any number of tensors and a flag for the way back. How many
it wants is the layer's secret: say `--shape a=2 --shape b=3`, or one is tried.
"""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from ldjcheck.calling.convention import Convention, run
from ldjcheck.calling.results import written_in
from ldjcheck.calling.signature import call_signature, caller, signature_of
from ldjcheck.object_graph import looked_up
from ldjcheck.records import CallFunction, Calls, Returned, Way


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if signature is None or not signature.takes_any_position:
        return
    flag = signature.way_flag()
    if flag is None:
        return  # a wrapper, which hands on whatever it is given
    first = tuple(n for n in signature.required if n != flag.name)
    yield Calls(
        convention=CONVENTION.name,
        signature=f"f(*xs) -> *ys, ldj; way back: {flag}",
        forward=Way(call=_call(flag.forward)),
        inverse=Way(call=_call(flag.inverse)),
        column=True,
        inputs=_taken_by_name(layer),
        context_names=first[1:],
        inferred=CONVENTION.says("it takes any number of tensors"),
    )


def _taken_by_name(layer: Any) -> tuple[str, ...]:
    """Return the names of what a call hands all its tensors on to: `self._forward(*xs)`.

    Empty where that takes one of them, or any number.
    """
    for call in written_in(caller(layer)):
        if not isinstance(call, ast.Call):
            continue
        spread = any(isinstance(argument, ast.Starred) for argument in call.args)
        if not spread or not isinstance(call.func, ast.Attribute):
            continue
        method = looked_up(layer, call.func.attr)
        signature = signature_of(method) if callable(method) else None
        if signature is not None and len(signature.required) > 1:
            return signature.required
        if signature is not None and signature.takes_any_position:
            return _taken_by_place(method)
    return ()


def _taken_by_place(method: Any) -> tuple[str, ...]:
    """Return a name for each tensor of any number, `xs[0]`, up to the last that is read.

    Empty where the first alone is read by its place, or none.
    """
    nodes = list(written_in(method))
    called = next((n for n in nodes if isinstance(n, ast.arguments)), None)
    if called is None or called.vararg is None:
        return ()
    name = called.vararg.arg
    places = [
        node.slice.value
        for node in nodes
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, int)
    ]
    count = 1 + max(places, default=0)
    return tuple(f"{name}{place}" for place in range(count)) if count > 1 else ()


def _call(fixed: Mapping[str, Any]) -> CallFunction:
    def call(layer: Any, x: Any, start: Any, kwargs: Mapping[str, Any]) -> Returned:
        result = run(caller(layer), x, {**fixed, **kwargs})
        if not isinstance(result, (tuple, list)) or len(result) < 2:
            return Returned(y=result, ldj=None, bare=True)
        *ys, ldj = result
        return Returned(y=ys[0] if len(ys) == 1 else ys, ldj=ldj)

    return call


CONVENTION = Convention(
    name="several-tensors",
    summary="f(*xs, inverse=False) -> *ys, ldj; the ldj comes last and is (batch, 1)",
    recognise=_recognise,
)
