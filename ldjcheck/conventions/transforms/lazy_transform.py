"""Lazy transforms in zuko's style: `lazy()` or `lazy(context)` builds a Transform.

The parameters live in the lazy module, so the transform is built anew at every call.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions.transforms import Transform

from ldjcheck.calling.convention import Convention
from ldjcheck.conventions.transforms.transform import run_transform, transform_calls
from ldjcheck.records import CallFunction, Calls, Returned, Way


def _recognise(layer: Any) -> Iterator[Calls]:
    """Recognise by what is declared, as building one would run the layer.

    That is the return type, or, of a subclass that leaves it out, its base's.
    """
    if not isinstance(layer, torch.nn.Module):
        return
    try:
        signature = inspect.signature(layer.forward, eval_str=True)
    except Exception:  # an annotation may name what is only there for type checkers
        return
    if not any(map(_builds_transforms, type(layer).__mro__)):
        return
    name = next(iter(signature.parameters), None)
    # A throw-away instance tells event_dim and domain; nothing is computed with it yet.
    try:
        with torch.no_grad():
            built = layer()
    except Exception:  # a context is needed
        yield _with_context(name)
        return
    calls = transform_calls(
        built, CONVENTION.name, f"calling it builds a {type(built).__name__}"
    )
    assert calls.forward is not None
    assert calls.inverse is not None
    yield replace(
        calls,
        signature="lazy() -> t; t(x) -> y; t.log_abs_det_jacobian(x, y)",
        forward=replace(calls.forward, call=_built_first(back=False), late=None),
        inverse=replace(calls.inverse, call=_built_first(back=True)),
        extra_names=()
        if name is None
        else (name,),  # some need it once they are called
    )


def _builds_transforms(kind: type) -> bool:
    """Return whether a class declares that calling it returns a transform of torch."""
    forward = vars(kind).get("forward")
    if not inspect.isfunction(forward):
        return False
    try:
        declared = inspect.signature(forward, eval_str=True).return_annotation
    except Exception:  # an annotation may name what is only there for type checkers
        return False
    return isinstance(declared, type) and issubclass(declared, Transform)


def _with_context(name: str | None) -> Calls:
    """Return how to call a lazy transform that is nothing without its context."""
    return Calls(
        convention=CONVENTION.name,
        signature=f"lazy({name}) -> t; t(x) -> y; t.log_abs_det_jacobian(x, y)",
        forward=Way(call=_built_first(back=False)),
        inverse=Way(call=_built_first(back=True), derived=True),
        context_names=() if name is None else (name,),
        inferred=(("convention", f"{CONVENTION.name}: calling it builds a transform"),),
    )


def _built_first(*, back: bool) -> CallFunction:
    def built_call(
        layer: Any, x: Tensor, start: Tensor | None, kwargs: Mapping[str, Any]
    ) -> Returned:
        return run_transform(layer(**kwargs), x, back=back)

    return built_call


CONVENTION = Convention(
    name="lazy-transform",
    summary="lazy(context) -> torch.distributions.Transform, as in zuko",
    recognise=_recognise,
)
