"""Layers that have a method for each way: `encode(x)`, `decode(z)`.

Both return a pair, as a call would. What they are called is all that tells them, so a layer
whose call may return a pair is left to other conventions. A model's call returns its loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ldjcheck.calling.convention import Convention
from ldjcheck.calling.parameter_names import METHODS_OF_WAYS
from ldjcheck.calling.results import returns_one_thing
from ldjcheck.calling.signature import call_signature, caller, method_names
from ldjcheck.calling.ways import by_methods
from ldjcheck.conventions.accumulator import by_methods_of_a_total
from ldjcheck.records import Calls


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if isinstance(layer, type):
        return
    if (
        signature is not None
        and signature.names
        and not returns_one_thing(caller(layer))
    ):
        return
    own = method_names(layer)
    for there, ways_back in METHODS_OF_WAYS.items():
        if there not in own:
            continue
        back = next((name for name in ways_back if name in own), None)
        with_total = [*by_methods_of_a_total(CONVENTION.name, layer, there, back)]
        alone = by_methods(CONVENTION.name, layer, there, back)
        yield from with_total or filter(None, (alone,))


CONVENTION = Convention(
    name="two-methods",
    summary="f.encode(x) -> z, ldj; f.decode(z) -> x, ldj: where a call gives no ldj",
    recognise=_recognise,
)
