"""Layers whose direction is a word: `m(x, mode="direct") -> (y, ldj)`, ldj `(batch, 1)`.

The word for forward is the default; the word for the way back is its opposite, the one
that the layer's own code holds where there are several.
"""

from collections.abc import Iterator
from types import CodeType
from typing import Any

from ldjcheck.calling.convention import Convention, layer_call
from ldjcheck.calling.signature import Signature, call_signature
from ldjcheck.records import Calls, Way

_NAMES = ("mode", "direction")
_OPPOSITES = {
    "direct": ("inverse", "reverse"),
    "forward": ("inverse", "reverse", "backward"),
    "forwards": ("backwards", "inverse"),
    "encode": ("decode",),
    "normalize": ("denormalize", "generate"),
    "normalizing": ("generative", "generating", "inverse"),
    "inference": ("generation", "generate", "sampling"),
    "density": ("sample", "sampling"),
    "f": ("g", "b"),
}


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if signature is None:
        return
    words = _words(signature)
    if words is None:
        return
    name, there, back = words
    yield Calls(
        convention=CONVENTION.name,
        signature=signature.show(f"y, ldj; way back: {name}={back!r}"),
        forward=Way(call=layer_call({name: there})),
        inverse=Way(call=layer_call({name: back})),
        column=True,
        context_names=signature.contexts(name),
        extra_names=signature.extras(name),
        inferred=CONVENTION.says(f"{name!r} is {there!r} or {back!r}"),
    )


def _words(signature: Signature) -> tuple[str, str, str] | None:
    """Return the parameter, and its words for forward and for the way back."""
    name = signature.find(_NAMES)
    if name is None or name == signature.input:
        return None
    code = getattr(signature.function, "__code__", None)
    held = set(_strings(code)) if code is not None else set()
    there = signature.defaults.get(name)
    if there is None:
        there = next((word for word in _OPPOSITES if word in held), None)
    if not isinstance(there, str) or there not in _OPPOSITES:
        return None
    opposites = _OPPOSITES[there]
    back = next((word for word in opposites if word in held), opposites[0])
    return name, there, back


def _strings(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, (tuple, frozenset)):
            yield from (item for item in constant if isinstance(item, str))


CONVENTION = Convention(
    name="mode",
    summary='m(x, mode="direct" or "inverse") -> y, ldj; the ldj is (batch, 1)',
    recognise=_recognise,
)
