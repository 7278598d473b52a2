"""Layers that return output and ldj: `(x) -> (y, ldj)`, with an optional way back.

The way back is a flag of the same call (`reverse=True`) or a method (`inverse`,
`backward`, `reverse`). A way back that returns no ldj reports none.
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
    if signature is None or not signature.names:
        return None
    total = total_name(signature)
    if total is not None and total[0] in signature.required:
        return None  # it cannot be called without a running total
    flag = signature.find(REVERSE_FLAGS)
    method = inverse_method(layer)
    inverse: CallFunction | None = None
    if flag is not None and flag not in signature.names[:1]:
        inverse = _call({flag: True})
        way_back = f"{flag}=True"
    elif method is not None and signature_of(getattr(layer, method)) is not None:
        inverse = _method_call(method)
        way_back = f".{method}()"
    else:
        flag, way_back = None, "none found"
    return Calls(
        convention=CONVENTION.name,
        signature=signature.show(f"y, ldj; way back: {way_back}"),
        forward=_call({flag: False} if flag and inverse else {}),
        inverse=inverse,
        context_names=_contexts(signature, flag),
        inferred=(("convention", f"{CONVENTION.name}: the call returns y and ldj"),),
    )


def _contexts(signature: Signature, flag: str | None) -> tuple[str, ...]:
    return tuple(name for name in signature.required[1:] if name != flag)


def _call(fixed: Mapping[str, Any]) -> CallFunction:
    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        return _unpacked(caller(layer)(x, **fixed, **kwargs))

    return call


def _method_call(method: str) -> CallFunction:
    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        return _unpacked(getattr(layer, method)(x, **kwargs))

    return call


def _unpacked(result: Any) -> Returned:
    if isinstance(result, (tuple, list)) and len(result) >= 2:
        return Returned(y=result[0], ldj=result[1])
    return Returned(y=result, ldj=None)


CONVENTION = Convention(
    name="pair",
    summary="f(x) -> y, ldj: with .inverse(y), .backward(y), .reverse(y) or reverse=True",
    recognise=_recognise,
)
