"""Which of the arguments that a user names a layer takes at all."""

from __future__ import annotations

import functools
import types
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from ldjcheck.calling.signature import (
    Signature,
    call_signature,
    method_names,
    signature_of,
)
from ldjcheck.holdings import reachable
from ldjcheck.records import Calls

_BARE = (types.FunctionType, types.MethodType, functools.partial)


def untaken(
    layer: Any, ways: Iterable[Calls], names: Collection[str]
) -> tuple[str, ...]:
    """Return those of the names that the layer does not take as an argument.

    What takes any keyword takes these, and a container what its layers take.
    """
    if not names:
        return ()
    own = [call_signature(layer), *_signatures(layer)]
    if any(each is not None and each.takes_any_keyword for each in own):
        return ()
    known = _known(layer, ways)
    return tuple(name for name in names if name not in known)


def not_taken(layer: Any, ways: Iterable[Calls], name: str) -> str:
    """Return what to say of such a name: what it may have been."""
    near = get_close_matches(name, sorted(_known(layer, ways)), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"The layer takes no argument {name!r}{hint}"


def _known(layer: Any, ways: Iterable[Calls]) -> set[str]:
    known = {name for calls in ways for name in calls.context_names}
    known |= {name for calls in ways for name, _ in calls.context_shapes}
    own = {"forward", "__call__"} & {*method_names(layer)}
    for item in [layer] if own or isinstance(layer, _BARE) else reachable(layer):
        for signature in _signatures(item):
            known |= set(signature.names)
    return known - {"self"}


def _signatures(item: Any) -> Iterator[Signature]:
    """Yield the signatures of a function, or of the methods that users' classes define."""
    functions = [item]
    if not isinstance(item, _BARE):
        names = (n for n in method_names(item) if n[:2] != "__" or n == "__call__")
        functions = [getattr(type(item), name) for name in names]
    yield from filter(None, map(signature_of, functions))
