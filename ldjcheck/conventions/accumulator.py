"""Layers that add their ldj to a running total: `(z, ldj, reverse=False) -> (z, ldj)`.

Common in courses and image flows. The total may also be a log-density (`logp`): then the
layer *reduces* it by the ldj, the sign of what comes back is turned, and projects that
write so keep it as a column, `(batch, 1)`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from torch import Tensor

from ldjcheck.calling.convention import Convention, run, taken
from ldjcheck.calling.results import inputs_returned, unnamed_total, unpacked
from ldjcheck.calling.signature import (
    Signature,
    call_signature,
    caller,
    signature_of,
    total_name,
    ways_back,
)
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Way


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if signature is None or len(signature.names) < 2:
        return
    total, is_density = total_name(signature) or (unnamed_total(signature), False)
    if total is None:
        return
    inputs = inputs_returned(signature, total)
    sign: Literal[1, -1] = -1 if is_density else 1
    flag, method = ways_back(layer, signature)
    inverse: CallFunction | None = None
    if flag is not None:
        inverse = _call(signature, total, flag.inverse)
    else:
        back = signature_of(getattr(layer, method)) if method else None
        if method is not None and back is not None:
            inverse = _method_call(method, back, sign, several=bool(inputs))
    why = f"the parameter {total!r} takes a running total"
    calls = Calls(
        convention=CONVENTION.name,
        signature=signature.show(f"{', '.join(inputs) or signature.input}, {total}"),
        forward=Way(call=_call(signature, total, flag.forward if flag else {})),
        inverse=Way.of(inverse),
        accumulates=True,
        is_total_optional=signature.defaults.get(total, total) is None,
        sign=sign,
        inputs=inputs,
        context_names=signature.contexts(total, *inputs),
        extra_names=signature.extras(total),
        inferred=CONVENTION.says(why),
    )
    yield from _shaped(calls, total, is_density=is_density)


def by_methods_of_a_total(
    convention: str, layer: Any, there: str, back: str | None
) -> Iterator[Calls]:
    """Yield how a layer is called by methods of which the first takes a running total."""
    signature = signature_of(getattr(layer, there))
    found = None if signature is None else total_name(signature)
    if signature is None or found is None:
        return
    total, is_density = found
    sign: Literal[1, -1] = -1 if is_density else 1
    inverse = None if back is None else signature_of(getattr(layer, back))
    calls = Calls(
        convention=convention,
        signature=f"f.{there}(x, {total}) -> y, {total}",
        forward=Way(call=_method_call(there, signature, sign, several=False)),
        inverse=None
        if back is None or inverse is None
        else Way(call=_method_call(back, inverse, sign, several=False)),
        accumulates=True,
        is_total_optional=signature.defaults.get(total, total) is None,
        sign=sign,
        context_names=signature.contexts(total),
        extra_names=signature.extras(total),
        inferred=(
            ("convention", f"{convention}: {there}() takes a running total, {total!r}"),
        ),
    )
    yield from _shaped(calls, total, is_density=is_density)


def _shaped(calls: Calls, total: str, *, is_density: bool) -> Iterator[Calls]:
    """Yield the calls; where the total is a density, as a column first."""
    if not is_density:
        yield calls
        return
    turned = ("sign", f"{total!r} is a log-density: it is reduced by the ldj")
    calls = replace(calls, inferred=(*calls.inferred, turned))
    yield replace(calls, column=True)
    yield calls


def _call(signature: Signature, total: str, fixed: Mapping[str, Any]) -> CallFunction:
    second = len(signature.required) > 1 and signature.required[1] == total

    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        named = {**fixed, **kwargs}
        function = caller(layer)
        if second:  # some layers name it differently in a subclass: position is safer
            result = function(x, start, **named)
        else:
            began = {} if start is None else {total: start}
            result = run(function, x, {**began, **named})
        return unpacked(result, x, function)

    return call


def _method_call(
    method: str, signature: Signature, sign: int, *, several: bool
) -> CallFunction:
    found = total_name(signature)
    if found is None and several and (unnamed := unnamed_total(signature)):
        found = unnamed, False

    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        function = getattr(layer, method)
        named = taken(function, kwargs)
        if found is not None:
            named |= {} if start is None else {found[0]: start}
        returned = unpacked(run(function, x, named), x, function)
        if found is not None or returned.ldj is None:
            return returned
        return replace(returned, ldj=start + sign * returned.ldj)  # its own alone

    return call


CONVENTION = Convention(
    name="accumulator",
    summary="f(z, ldj, reverse=False) -> z, ldj: adds to the ldj that is passed in",
    recognise=_recognise,
)
