"""The functions that run a layer one way, which most conventions share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ldjcheck.conventions.convention import caller
from ldjcheck.conventions.results import unpacked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from ldjcheck.records import CallFunction, Returned


def layer_call(fixed: Mapping[str, Any] | None = None) -> CallFunction:
    """Return what calls the layer itself, with these arguments besides the input."""

    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        function = caller(layer)
        return unpacked(function(x, **{**(fixed or {}), **kwargs}), x, function)

    return call


def method_call(name: str) -> CallFunction:
    """Return what calls a method of the layer with the input."""

    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        method = getattr(layer, name)
        return unpacked(method(x, **taken(method, kwargs)), x, method)

    return call


def taken(function: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments that a function takes."""
    from ldjcheck.conventions.convention import signature_of

    signature = signature_of(function)
    if signature is None or signature.takes_any_keyword:
        return dict(kwargs)
    return {name: value for name, value in kwargs.items() if name in signature.names}
