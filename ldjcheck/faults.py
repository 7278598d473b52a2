"""Layers that could not be checked, and what they did that nobody can work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.holdings import looked_up
from ldjcheck.mistakes.naming.circumstances import refusal
from ldjcheck.records import Layer, Result
from ldjcheck.tracebacks import is_users, message_of, user_traceback

if TYPE_CHECKING:
    from ldjcheck.running.snapshot.namespace import Namespace

_NOT_UNDONE = {"LDJ301", "LDJ304"}


def failed_result(
    target: str, error: CannotCheckError, *, layer: str | None = None
) -> Result:
    """Return the result of a target that could not be checked."""
    found = (refusal(error),)
    return Result(target=target, layer=layer, status="error", findings=found)


def meant_otherwise(layer: Layer, result: Result) -> CannotCheckError | None:
    """Return why a map that cannot be undone is no mistake: the layer says so itself.

    What such a layer reports is a contribution to the likelihood, and no determinant.
    """
    codes = {f.code for f in result.findings if f.severity == "error"}
    declared = looked_up(layer.obj, "bijective")
    if declared is not False or not _NOT_UNDONE & codes:
        return None
    return CannotCheckError(
        "LDJ004",
        f"{layer.name} declares that it is no bijection, so it has no determinant.",
        ("Its `bijective` is False, and its map cannot be undone.",),
    )


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
    if is_users(error):
        what = f"{type(error).__name__}: {message_of(error)}"
        return CannotCheckError(
            "LDJ005", f"Looking at {layer.name} raised {what}", user_traceback(error)
        )
    return None
