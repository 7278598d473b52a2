"""Modules that return y alone because they only move entries: permutations, squeezes.

They have no ldj to report: it is 0. That holds only where the entries of every sample come
out as they went in, in another order; whoever returns anything else says nothing of its
ldj, and follows another convention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ldjcheck.conventions.convention import (
    Convention,
    call_signature,
    caller,
    inverse_method,
)
from ldjcheck.conventions.ways import only_call, run, taken
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
    there = flag.forward if flag else {}
    yield Calls(
        convention=CONVENTION.name,
        signature=signature.show("y, where y holds the entries of x"),
        forward=_call(None, there),
        inverse=_call(None if flag else method, flag.inverse if flag else {}),
        asks=only_call(there),
        keeps_volume=True,
        context_names=signature.contexts(),
        inferred=(
            ("convention", f"{CONVENTION.name}: it moves entries, and reports no ldj"),
        ),
    )


def _call(way: str | None, fixed: Mapping[str, Any]) -> CallFunction:
    def call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        function = caller(layer) if way is None else getattr(layer, way)
        y = run(function, x, {**fixed, **taken(function, kwargs)})
        if not isinstance(y, Tensor) or not _same_entries(x, y):
            return Returned(y=y, ldj=None, bare=True)
        return Returned(y=y, ldj=0.0)

    return call


def _same_entries(x: Tensor, y: Tensor) -> bool:
    if x.numel() != y.numel() or not y.dim() or len(x) != len(y):
        return False
    flat = (t.detach().reshape(len(t), -1).sort(dim=1).values for t in (x, y))
    return torch.equal(*flat)


CONVENTION = Convention(
    name="rearrangement",
    summary="f(x, reverse=False) -> y alone: it moves entries, and its ldj is 0",
    recognise=_recognise,
)
