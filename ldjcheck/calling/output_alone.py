"""Layers that return y alone because their ldj is 0, and how it is known that it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from ldjcheck.calling.convention import answer_of, only_call
from ldjcheck.calling.signature import Signature, call_signature, inverse_method
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Way

Says = Callable[[Any, Any], Returned]
"""From an input, and all that came back, to what a call says of its ldj."""


def volume_kept(
    layer: Any, convention: str, says: Says, *, where: str, because: str
) -> tuple[Signature, Calls] | None:
    """Return a call that returns y alone, and its signature; None without a way back.

    What has no way back may be anything. `where` completes the signature that is shown,
    `because` the sentence that says why this convention was chosen.
    """
    signature = call_signature(layer)
    if signature is None or not signature.names:
        return None
    flag = signature.way_flag()
    method = inverse_method(layer)
    if flag is None and method is None:
        return None
    there = flag.forward if flag else {}
    return signature, Calls(
        convention=convention,
        signature=signature.show(f"y, where {where}"),
        forward=Way(call=_call(None, there, says), asks=only_call(there)),
        inverse=Way(
            call=_call(None if flag else method, flag.inverse if flag else {}, says)
        ),
        keeps_volume=True,
        context_names=signature.contexts(),
        inferred=(("convention", f"{convention}: {because}, and reports no ldj"),),
    )


def _call(way: str | None, fixed: Mapping[str, Any], says: Says) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        return says(x, answer_of(layer, way, x, fixed, kwargs))

    return call
