"""Layers that could not be checked, and what they did that nobody can work with."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.holdings import looked_up
from ldjcheck.mistakes.naming.circumstances import refusal
from ldjcheck.mistakes.naming.laws import follows_a_law
from ldjcheck.records import Layer, Result
from ldjcheck.tracebacks import is_of_users, message_of, user_traceback

if TYPE_CHECKING:
    from ldjcheck.running.snapshot.namespace import Namespace
    from ldjcheck.settling.subject import Subject

_NOT_UNDONE = {"LDJ301", "LDJ304"}


def failed_result(
    target: str, error: CannotCheckError, *, layer: str | None = None
) -> Result:
    """Return the result of a target that could not be checked."""
    found = (refusal(error),)
    return Result(target=target, layer=layer, status="error", findings=found)


def meant_otherwise(subject: Subject, result: Result) -> CannotCheckError | None:
    """Return why what looks like a mistake need be none, as no flow layer is checked."""
    return _no_bijection(subject.layer, result) or _no_flows_density(subject, result)


def _no_flows_density(subject: Subject, result: Result) -> CannotCheckError | None:
    """Return that a density, which nobody said is a flow's, would be wrong as one.

    An encoder of as many numbers as it is given has one as well. Where a law says how it
    is off, or a flow is inside, that is no chance.
    """
    from ldjcheck.conventions import densities
    from ldjcheck.settling.subject import holds_flow

    layer, asked = subject.layer, subject.asked
    is_guess = (asked.kind, asked.convention) == ("auto", "auto")
    is_model = subject.bench.calls.convention == "model"
    if not (is_guess and is_model and result.status == "fail"):
        return None
    if inspect.ismethod(layer.obj) or asked.adapter is not None:
        return None
    if result.beside_right or follows_a_law(result) or holds_flow(layer):
        return None
    name = next(name for name, *_ in densities(layer.obj))
    return CannotCheckError(
        "LDJ004",
        f"I cannot tell whether {layer.name} is a flow: as one, its {name} is wrong.",
        (
            "What it maps x to, and what its density says of that, do not agree.",
            f"To check its {name}, say that it is a model: --kind model",
        ),
    )


def _no_bijection(layer: Layer, result: Result) -> CannotCheckError | None:
    """Return that a map which cannot be undone is no mistake: the layer says so itself.

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
    if is_of_users(error):
        what = f"{type(error).__name__}: {message_of(error)}"
        return CannotCheckError(
            "LDJ005", f"Looking at {layer.name} raised {what}", user_traceback(error)
        )
    return None
