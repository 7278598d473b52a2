"""Layers that return y alone and keep their ldj in an attribute: `self.log_det = ...`.

Told by the layer's own code, which stores an attribute of such a name, or has a property
of one, made of what the call left.
"""

import dis
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ldjcheck.calling.convention import Convention, answer_of
from ldjcheck.calling.parameter_names import is_total
from ldjcheck.calling.signature import call_signature, ways_back
from ldjcheck.object_graph import looked_up, module_of
from ldjcheck.records import CallFunction, Calls, Kwargs, Returned, Way


def _recognise(layer: Any) -> Iterator[Calls]:
    signature = call_signature(layer)
    if signature is None or not signature.names:
        return
    stored = _stored(layer)
    if not stored:
        return
    flag, method = ways_back(layer, signature)
    for name in stored:
        inverse = None
        if flag is not None:
            inverse = _call(None, flag.inverse, name)
        elif method is not None:
            inverse = _call(method, {}, name)
        yield Calls(
            convention=CONVENTION.name,
            signature=f"{signature.show('y')}; then f.{name}",
            forward=Way(call=_call(None, flag.forward if flag else {}, name)),
            inverse=Way.of(inverse),
            context_names=signature.contexts(),
            extra_names=signature.extras(),
            inferred=CONVENTION.says(f"the call leaves it in {name!r}"),
        )


def _stored(layer: Any) -> tuple[str, ...]:
    """Return the attributes named like an ldj: what methods assign, and properties."""
    found: dict[str, None] = {}
    for cls in type(layer).__mro__:
        if module_of(cls).startswith(("torch.nn", "builtins")):
            continue
        for name, function in vars(cls).items():
            if isinstance(function, property) and is_total(name):
                found[name] = None
            if name == "__init__" or not inspect.isfunction(function):
                continue
            for step in dis.get_instructions(function):
                if step.opname == "STORE_ATTR" and is_total(str(step.argval)):
                    found[str(step.argval)] = None
    return tuple(found)


def _call(way: str | None, fixed: Mapping[str, Any], name: str) -> CallFunction:
    def call(layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs) -> Returned:
        before = _kept(layer, name)
        y = answer_of(layer, way, x, fixed, kwargs)
        if isinstance(y, (tuple, list)) and len(y) != 1:
            return Returned(y=None, ldj=None)  # it has more to say than y
        after = looked_up(layer, name)
        untouched = way is not None and _kept(layer, name) == before
        return Returned(y=y, ldj=None if untouched else after, bare=untouched)

    return call


def _kept(layer: Any, name: str) -> dict[str, int]:
    """Return which objects the layer keeps under this name; for a property, under any."""
    held = vars(layer) if hasattr(layer, "__dict__") else {}
    if isinstance(inspect.getattr_static(type(layer), name, None), property):
        return {each: id(value) for each, value in held.items()}
    return {name: id(looked_up(layer, name))}


CONVENTION = Convention(
    name="stored-log-det",
    summary="f(x) -> y, which leaves its ldj in an attribute such as f.log_det",
    recognise=_recognise,
)
