"""Layers that could not be checked, and what they did that nobody can work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.errors import LAYERS_OWN, CannotCheckError
from ldjcheck.mistakes.attribution.circumstances import refusal
from ldjcheck.object_graph import reachable
from ldjcheck.records import Layer, Result
from ldjcheck.running.failed_calls import FailedCallError, LayerRaisedError
from ldjcheck.tracebacks import advice_on, is_of_users, message_of, user_traceback

if TYPE_CHECKING:
    from ldjcheck.running.snapshot.state import Namespace


def failed_result(
    target: str, error: CannotCheckError, *, layer: str | None = None
) -> Result:
    """Return the result of a target that could not be checked."""
    found = (refusal(error),)
    return Result(target=target, layer=layer, status="error", findings=found)


def failed(layer: Layer, error: BaseException, torch_before: Namespace) -> Result:
    """Return the result of a layer that this keeps from being checked.

    Raises:
        BaseException: the error itself, where it is a fault of ours.
    """
    if not isinstance(error, CannotCheckError):
        fault = _fault_of_layer(layer, error, torch_before)
        if fault is None:
            raise error
        error = fault
    return failed_result(layer.target, error, layer=layer.name)


def _fault_of_layer(
    layer: Layer, error: BaseException, torch_before: Namespace
) -> CannotCheckError | None:
    """Return what the layer did that nobody can work with; None for a fault of ours.

    Its attributes may raise when they are looked at, and it may take away what everything
    here is made of.
    """
    if replaced := torch_before.replaced():
        return CannotCheckError(
            "LDJ005",
            f"Running {layer.name} replaces {replaced}, without which I cannot go on.",
            ("What a call replaces for everybody, it should put back.",),
        )
    if isinstance(error, FailedCallError):
        lines = error.lines if isinstance(error, LayerRaisedError) else ()
        return CannotCheckError(
            "LDJ005",
            f"{layer.name} worked, and then a call of it came to nothing: {error}.",
            (*lines, "A map does the same each time it is called."),
        )
    alone = _raised_by_walk(layer.obj)
    if alone is not None or is_of_users(error):
        error = alone or error
        what = f"{type(error).__name__}: {message_of(error)}"
        evidence = (*user_traceback(error), *advice_on(error))
        return CannotCheckError(
            "LDJ005", f"Looking at {layer.name} raised {what}", evidence
        )
    return None


def _raised_by_walk(obj: object) -> BaseException | None:
    """Return what torch raises of itself where it looks at what modules hold."""
    from torch import nn

    try:
        for item in reachable(obj):
            if isinstance(item, nn.Module):
                list(item.named_parameters())
    except LAYERS_OWN as error:
        error.__context__ = None  # what was being handled is told by this one
        return error
    return None
