"""Layers that start themselves from the first batch that is handed back to them.

A density is evaluated by the way back where a library samples by the way forth, so there
the first batch sets scale and shift. Before that the layer is another one, and there and
back is no round trip.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ldjcheck.holdings import attributes, module_of, reachable
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import on_failure
from ldjcheck.running.snapshot.isolation import learnable, set_mode


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
