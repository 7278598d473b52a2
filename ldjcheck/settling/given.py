"""The user's own samples: which of them are inputs, and which go beside."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Context

if TYPE_CHECKING:
    from ldjcheck.records import Given, Layer, Options, Shape


def with_sizes_of(layer: Layer, given: Given, options: Options) -> Options:
    """Return the options with the sizes of samples that the user gave.

    What is named like a further argument of the layer's call is a context.

    Raises:
        CannotCheckError: LDJ006, where no input is among them.
    """
    from ldjcheck.conventions import recognise_conventions

    ways = recognise_conventions(layer.obj, options.convention)
    extra = {
        name
        for calls in ways
        for name in (*calls.context_names, *calls.extra_names)
        if name not in calls.inputs
    }
    sizes: dict[str | None, Shape] = {
        name: tuple(value.shape[1:]) for name, value in given.samples.items()
    }
    beside = {str(name): size for name, size in sizes.items() if name in extra}
    inputs = {name: size for name, size in sizes.items() if name not in beside}
    if not inputs:
        raise CannotCheckError(
            "LDJ006",
            f"Only {' and '.join(beside)} is among the inputs, and not the input itself.",
            ("Give it as well, under the name of the layer's first argument.",),
        )
    if len(inputs) == 1:
        inputs = dict.fromkeys((None,), next(iter(inputs.values())))
    told = [each for each in options.context if each.name not in beside]
    return replace(
        options,
        shape=tuple(inputs.items()),
        context=(*told, *(Context(name, size) for name, size in beside.items())),
    )
