"""Tensors that nobody has given numbers: a layer that holds some answers with NaN or worse."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ldjcheck.running.snapshot.state import tensors_by_name

if TYPE_CHECKING:
    from torch import Tensor

    from ldjcheck.records import Side, Sides
    from ldjcheck.running.bench import Bench

_BEYOND = 1e15  # no layer is built with such numbers, and what is left in memory may be
_SHOWN = 3
_HINT = "torch.empty and torch.Tensor(n) hold what was in memory: give it numbers"


def with_memory(bench: Bench, measured: Sides) -> Sides:
    """Return the measurement; where nothing finite comes out, with what the layer holds.

    `torch.empty` and `torch.Tensor(n)` hand out what happens to be in memory.
    """
    sides = (measured.forward, measured.inverse)
    if not any(map(_is_lost, sides)):
        return measured
    held = [
        f"`{name}` holds {what}"
        for name, tensor in tensors_by_name(bench.layer.obj).items()
        if (what := _strange(tensor)) is not None
    ]
    if not held:
        return measured
    more = f" and {len(held) - _SHOWN} more tensors" if len(held) > _SHOWN else ""
    fault = f"{', '.join(held[:_SHOWN])}{more} as built, and the output is not finite"
    forward, inverse = (_with_faults(side, (fault, _HINT)) for side in sides)
    return replace(measured, forward=forward, inverse=inverse)


def _is_lost(side: Side) -> bool:
    return side.answered and not bool(torch.isfinite(side.y.detach()).all())


def _with_faults(side: Side, faults: tuple[str, ...]) -> Side:
    if not _is_lost(side):
        return side
    seen = side.behaviour
    return replace(side, behaviour=replace(seen, faults=(*faults, *seen.faults)))


def _strange(tensor: Tensor) -> str | None:
    """Return what is strange about a tensor's numbers; None where nothing is."""
    if not tensor.is_floating_point() or not tensor.numel():
        return None
    if bool(torch.isnan(tensor).any()):
        return "NaN"
    largest = float(tensor.detach().abs().max())
    return None if largest < _BEYOND else f"numbers up to {largest:.1g}"
