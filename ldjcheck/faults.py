"""Layers that could not be checked, and what they did that nobody can work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.mistakes.naming.circumstances import refusal
from ldjcheck.records import Result
from ldjcheck.tracebacks import is_of_users, message_of, user_traceback

if TYPE_CHECKING:
    from ldjcheck.records import Layer
    from ldjcheck.running.snapshot.namespace import Namespace


def failed_result(
    target: str, error: CannotCheckError, *, layer: str | None = None
) -> Result:
    """Return the result of a target that could not be checked."""
    found = (refusal(error),)
    return Result(target=target, layer=layer, status="error", findings=found)


def fault_of_layer(
    layer: Layer, error: Exception, torch_before: Namespace
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
    if is_of_users(error):
        what = f"{type(error).__name__}: {message_of(error)}"
        return CannotCheckError(
            "LDJ005", f"Looking at {layer.name} raised {what}", user_traceback(error)
        )
    return None
