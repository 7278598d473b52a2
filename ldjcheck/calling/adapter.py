"""Adapters: how to call a layer, said in Python, for what no convention covers.

An adapter is an object with `forward(layer, x) -> (y, ldj)` and, where there is a way back,
`inverse(layer, y) -> (x, ldj)`; or a pair of such functions; or the forward one alone.
Either may take further keyword arguments, and return None for an ldj that is not reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ldjcheck.calling.ways import taken
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Way

NAME = "adapter"


def adapted_calls(adapter: Any) -> tuple[Calls, ...]:
    """Return how a layer is called by an adapter.

    Raises:
        ValueError: it is none.
    """
    if isinstance(adapter, (tuple, list)):
        there, back = (*adapter, None)[:2] if 1 <= len(adapter) <= 2 else (None, None)
    elif callable(getattr(adapter, "forward", None)):
        there, back = adapter.forward, getattr(adapter, "inverse", None)
    else:
        there, back = adapter, None
    if not callable(there) or not (back is None or callable(back)):
        raise ValueError(
            "an adapter is an object with forward(layer, x) -> (y, ldj) and perhaps "
            f"inverse(layer, y) -> (x, ldj), or a pair of functions; not {adapter!r}"
        )
    calls = Calls(
        convention=NAME,
        signature="adapter.forward(layer, x) -> y, ldj",
        forward=Way(call=_call(there)),
        inverse=None if back is None else Way(call=_call(back)),
        inferred=(("convention", "as your adapter calls it"),),
    )
    return (calls,)


def _call(function: Callable[..., Any]) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        result = function(layer, x, **taken(function, kwargs))
        if isinstance(result, (tuple, list)) and len(result) == 2:
            return Returned(y=result[0], ldj=result[1])
        return Returned(y=result, ldj=None, bare=True)

    return call
