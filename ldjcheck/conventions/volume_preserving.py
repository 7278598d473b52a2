"""Layers that return y alone, or y and None, because they keep volume: additive couplings.

They have no ldj to report: it is 0. Whether that is so for all parameters decides a trial
with parameters that were moved; whoever stretches says nothing of its ldj, and follows
another convention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from ldjcheck.conventions.convention import (
    Convention,
    call_signature,
    caller,
    inverse_method,
    method_names,
)
from ldjcheck.conventions.ways import only_call, run, taken
from ldjcheck.parameters import is_total
from ldjcheck.records import CallFunction, Calls, Returned

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if signature is None or not signature.names:
        return
    flag = signature.way_flag()
    method = inverse_method(layer)
    if flag is None and method is None:
        return  # what has no way back may be anything
    if any(map(is_total, (*method_names(layer), *signature.required))):
        return  # it says its ldj elsewhere, or that it has none
    there = flag.forward if flag else {}
    yield Calls(
        convention=CONVENTION.name,
        signature=signature.show("y, where volume is kept"),
        forward=_call(None, there),
        inverse=_call(None if flag else method, flag.inverse if flag else {}),
        asks=only_call(there),
        keeps_volume=True,
        one_number=True,
        context_names=signature.contexts(),
        extra_names=signature.extras(),
        inferred=(
            ("convention", f"{CONVENTION.name}: it keeps volume, and reports no ldj"),
        ),
    )


def _call(way: str | None, fixed: Mapping[str, Any]) -> CallFunction:
    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        function = caller(layer) if way is None else getattr(layer, way)
        y = run(function, x, {**fixed, **taken(function, kwargs)})
        if isinstance(y, tuple) and len(y) == 2 and y[1] is None:
            y = y[0]
        said = 0.0 if isinstance(y, Tensor) else None
        return Returned(y=y, ldj=said, bare=said is None)

    return call


CONVENTION = Convention(
    name="volume-preserving",
    summary="f(x, reverse=False) -> y alone: it keeps volume, and its ldj is 0",
    recognise=_recognise,
)
