"""The user's own samples: which of them are inputs, and which go beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ldjcheck.calling.signature import call_signature, signature_of
from ldjcheck.conventions import densities, recognise_conventions
from ldjcheck.errors import CannotCheckError
from ldjcheck.records import Context, Layer, Options, Shape
from ldjcheck.records.asked import Given


def with_sizes_of(layer: Layer, given: Given, options: Options) -> Options:
    """Return the options with the sizes of samples that the user gave.

    What is named like a further argument of the layer's call is a context; what is the
    name of none, where its input has its name, is left out.

    Raises:
        CannotCheckError: LDJ006, where no input is among them.
    """
    ways = recognise_conventions(layer.obj, options.convention)
    extra = {
        name
        for calls in ways
        for name in (*calls.context_names, *calls.extra_names)
        if name not in calls.inputs
    }
    named = [name for name in given.samples if name and name not in extra]
    left_out = _left_out(layer.obj, named)
    samples = {name: x for name, x in given.samples.items() if name not in left_out}
    sizes: dict[str | None, Shape] = {
        name: tuple(value.shape[1:]) for name, value in samples.items()
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
        inputs=replace(given, samples=samples, left_out=left_out),
        shape=tuple(inputs.items()),
        context=(*told, *(Context(name, size) for name, size in beside.items())),
    )


def _left_out(layer: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Return which samples no call takes, where it takes one of them by its name.

    Otherwise they are keys of the one argument. A way back takes something else.
    """
    asked = (signature_of(method) for _, _, method in densities(layer))
    called = [each for each in (call_signature(layer), *asked) if each is not None]
    known = {name for each in called for name in each.names}
    by_name = known & set(names)
    if not by_name or any(each.takes_any_keyword for each in called):
        return ()
    return tuple(name for name in names if name not in known)


def as_whole_numbers(options: Options) -> Given | None:
    """Return the user's inputs to be fed in their own dtype; None where that is tried, or real.

    A derivative wants real numbers, so these come first; what looks something up with its
    input takes whole ones only.
    """
    given = options.inputs
    if given is None or given.dtype is not None:
        return None
    beside = {each.name for each in options.context}
    dtype = next(x.dtype for name, x in given.samples.items() if name not in beside)
    return None if dtype.is_floating_point else replace(given, dtype=dtype)
