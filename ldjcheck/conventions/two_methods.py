"""Layers that have a method for each way: `encode(x)`, `decode(z)`.

Both return a pair, as a call would. What they are called is all that tells them, so a layer
whose call may return a pair is left to other conventions. A model's call returns its loss.
Where a layer has no call at all, a method is the way forward that returns a pair with a
log-det, whatever it is called.
"""

from collections.abc import Iterator
from typing import Any

from ldjcheck.calling.convention import Convention, by_methods
from ldjcheck.calling.parameter_names import METHODS_OF_WAYS, is_total
from ldjcheck.calling.results import returned_names, returns_one_thing
from ldjcheck.calling.signature import (
    INVERSE_METHODS,
    call_signature,
    caller,
    inverse_method,
    method_names,
)
from ldjcheck.conventions.accumulator import by_methods_of_a_total
from ldjcheck.object_graph import looked_up
from ldjcheck.records import Calls


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if isinstance(layer, type):
        return
    has_call = signature is not None and bool(signature.names)
    if has_call and not returns_one_thing(caller(layer)):
        return
    own = method_names(layer)
    ways = {
        there: next((name for name in ways_back if name in own), None)
        for there, ways_back in METHODS_OF_WAYS.items()
        if there in own
    }
    if not ways and not has_call:
        back = inverse_method(layer)
        ways = {name: back for name in own if _returns_an_ldj(layer, name)}
    for there, back in ways.items():
        both = filter(None, (there, back))
        pairs = [w for w in both if not returns_one_thing(looked_up(layer, w))]
        if back and pairs == [back]:
            there, back = back, there  # a sampler's: its way from z tells the ldj
        with_total = [*by_methods_of_a_total(CONVENTION.name, layer, there, back)]
        alone = by_methods(CONVENTION.name, layer, there, back)
        yield from with_total or filter(None, (alone,))


def _returns_an_ldj(layer: Any, name: str) -> bool:
    """Return whether a method is meant for others, and returns a pair with a log-det."""
    if name.startswith("_") or name in INVERSE_METHODS:
        return False
    names = returned_names(looked_up(layer, name))
    return len(names) == 2 and is_total(names[1])


CONVENTION = Convention(
    name="two-methods",
    summary="f.encode(x) -> z, ldj; f.decode(z) -> x, ldj: where a call gives no ldj",
    recognise=_recognise,
)
