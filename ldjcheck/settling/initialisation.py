"""Layers that start themselves from data: on their first call, there or back, or before.

The calls of some raise, whatever they are given, until a method of theirs has had data. It
is not told by its name: it takes one argument, of data, and returns nothing; and once it
was called, the layer runs.

Others start from the first batch that is handed back to them. A density is evaluated by
the way back where a library samples by the way forth, so there the first batch sets scale
and shift. Before that the layer is another one, and there and back is no round trip.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ldjcheck.calling.parameter_names import DENSITIES
from ldjcheck.calling.signature import INVERSE_METHODS, method_names, signature_of
from ldjcheck.errors import LAYERS_OWN
from ldjcheck.object_graph import attributes, module_of, reachable
from ldjcheck.records import Layer, Shape
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.snapshot.isolation import (
    copied,
    learnable,
    reseed,
    set_mode,
    undisturbed,
)
from ldjcheck.targets.build import DATA_NAMES

_SAMPLES = 64
_MOST = 3  # methods that are tried
_NO_START = {"forward", *INVERSE_METHODS, *(n for s in DENSITIES.values() for n in s)}
_TRAINS = {"backward", "step", "zero_grad"}


def started(
    layer: Layer, shapes: tuple[Shape, ...], seed: int
) -> Iterator[tuple[Layer, str]]:
    """Yield the layer after each start it may want, and what was called.

    Data are standard normal, at the first of the shapes that the method takes.
    """
    for name in _starters(layer.obj):
        for shape in shapes:
            begin = partial(_begun, name=name, shape=shape, seed=seed)
            begun = begin(_twin(layer))
            if begun is not None:
                said = f"{name}(x) on {_SAMPLES} samples of {shape}"
                yield layer.becomes(begun, begin), said
                break


def _twin(layer: Layer) -> Any:
    """Return a layer that may be started; None where it can be neither copied nor built."""
    try:
        return copied(layer.obj)
    except LAYERS_OWN:  # the layer's own copying may fail anyhow
        return None if layer.rebuild is None else layer.rebuild()


def _begun(obj: Any, name: str, shape: Shape, seed: int) -> Any:
    """Return the object after a method of it was given data; None where that raises."""
    if obj is None:
        return None
    reseed(seed)
    x = torch.randn(_SAMPLES, *shape)
    try:
        with undisturbed():
            returned = getattr(obj, name)(x)
    except LAYERS_OWN:
        return None
    return obj if returned is None or returned is obj else None


def _starters(obj: Any) -> tuple[str, ...]:
    """Return methods that take data alone and do not train; likely ones come first."""
    found = [name for name in method_names(obj) if _may_start(obj, name)]
    return tuple(sorted(found, key=lambda name: "init" not in name)[:_MOST])


def _may_start(obj: Any, name: str) -> bool:
    if name.startswith("_") or name in _NO_START:
        return False
    method = getattr(obj, name, None)
    signature = signature_of(method) if callable(method) else None
    if signature is None or len(signature.required) != 1:
        return False
    code = getattr(method, "__code__", None)
    trains = code is not None and bool(_TRAINS & set(code.co_names))
    return signature.required[0] in (*DATA_NAMES, "batch") and not trains


def with_started_way_back(bench: Bench) -> Bench:
    """Return the bench with copies that were called there and back, if that starts them.

    Only what can remember that it was called is asked: that costs three calls of it.
    """
    calls = bench.calls
    if calls.forward is None or calls.inverse is None or not _remembers(bench):
        return bench
    return replace(bench, there_and_back=True) if _starts(bench) else bench


@on_failure(False)
def _starts(bench: Bench) -> bool:
    """Return whether the first call of the way back sets what is learned."""
    x = bench.inputs()
    runner = bench.runner(warm_up=x)
    if bench.options.params == "random":
        set_mode(runner.layer, "train")
    y = runner.output("forward", x)
    before = [tensor.detach().clone() for tensor in learnable(runner.layer)]
    runner.output("inverse", y)
    after = learnable(runner.layer)
    return len(before) != len(after) or not all(map(torch.equal, before, after))


def _remembers(bench: Bench) -> bool:
    """Return whether a flag that is not set stands in the user's own part of the layer."""
    return any(
        _is_unset(value)
        for item in reachable(bench.copy().layer)
        if not module_of(type(item)).startswith("torch.")
        for name, value in attributes(item).items()
        if name != "training" and not name.startswith("__")
    )


def _is_unset(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.numel() == 1 and not value.requires_grad and not bool(value)
    return value is False or (type(value) is int and value == 0)
