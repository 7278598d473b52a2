"""Lazy transforms in zuko's style: `lazy()` or `lazy(context)` builds a Transform.

The parameters live in the lazy module, so the transform is built anew at every call.
"""

import inspect
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch.distributions.transforms import Transform

from ldjcheck.calling.convention import Convention
from ldjcheck.conventions.transforms.transform import transform_call, transform_calls
from ldjcheck.records import Calls, Way


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
    why = f"calling it builds a {type(built).__name__}"
    yield replace(
        transform_calls(built, CONVENTION.name, why, _THERE, _BACK),
        signature="lazy() -> t; t(x) -> y; t.log_abs_det_jacobian(x, y)",
        # some need it once they are called
        extra_names=() if name is None else (name,),
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
        forward=Way(call=_THERE),
        inverse=Way(call=_BACK, derived=True),
        context_names=() if name is None else (name,),
        inferred=CONVENTION.says("calling it builds a transform"),
    )


def _built(layer: Any, /, **contexts: Any) -> Transform:
    built: Transform = layer(**contexts)
    return built


_THERE, _BACK = (transform_call(_built, back=back) for back in (False, True))

CONVENTION = Convention(
    name="lazy-transform",
    summary="lazy(context) -> torch.distributions.Transform, as in zuko",
    recognise=_recognise,
)
