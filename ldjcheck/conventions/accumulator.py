"""Layers that add their ldj to a running total: `(z, ldj, reverse=False) -> (z, ldj)`.

Common in courses and image flows. The total may also be a log-density (`logp`): then the
layer *reduces* it by the ldj, and the sign of what comes back is turned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ldjcheck.conventions.convention import (
    REVERSE_FLAGS,
    Convention,
    Signature,
    call_signature,
    caller,
    inverse_method,
    signature_of,
    total_name,
)
from ldjcheck.records import CallFunction, Calls, Returned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


def _recognise(layer: Any) -> Calls | None:
    signature = call_signature(layer)
    if signature is None or len(signature.names) < 2:
        return None
    found = total_name(signature)
    if found is None:
        return None
    total, is_density = found
    flag = signature.find(REVERSE_FLAGS)
    inverse: CallFunction | None = None
    if flag is not None:
        inverse = _call(signature, total, {flag: True})
    else:
        method = inverse_method(layer)
        back = signature_of(getattr(layer, method)) if method else None
        if method is not None and back is not None:
            inverse = _method_call(method, back)
    others = [n for n in signature.required[1:] if n not in (total, flag)]
    why = f"the parameter {total!r} takes a running total"
    return Calls(
        convention=CONVENTION.name,
        signature=signature.show(f"{signature.names[0]}, {total}"),
        forward=_call(signature, total, {flag: False} if flag else {}),
        inverse=inverse,
        accumulates=True,
        sign=-1 if is_density else 1,
        context_names=tuple(others),
        inferred=(
            ("convention", f"{CONVENTION.name}: {why}"),
            *(
                [("sign", f"{total!r} is a log-density: it is reduced by the ldj")]
                if is_density
                else []
            ),
        ),
    )


def _call(signature: Signature, total: str, fixed: Mapping[str, Any]) -> CallFunction:
    second = len(signature.required) > 1 and signature.required[1] == total

    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        named = {**fixed, **kwargs}
        if second:  # some layers name it differently in a subclass: position is safer
            result = caller(layer)(x, start, **named)
        else:
            result = caller(layer)(x, **{total: start}, **named)
        return _unpacked(result)

    return call


def _method_call(method: str, signature: Signature) -> CallFunction:
    found = total_name(signature)

    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        named = dict(kwargs) if found is None else {found[0]: start, **kwargs}
        return _unpacked(getattr(layer, method)(x, **named))

    return call


def _unpacked(result: Any) -> Returned:
    if isinstance(result, (tuple, list)) and len(result) >= 2:
        return Returned(y=result[0], ldj=result[1])
    return Returned(y=result, ldj=None)


CONVENTION = Convention(
    name="accumulator",
    summary="f(z, ldj, reverse=False) -> z, ldj: adds to the ldj that is passed in",
    recognise=_recognise,
)
