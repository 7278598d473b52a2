"""Tensors that nobody has given numbers: a layer that holds some answers with NaN or worse."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ldjcheck.experiments import Experiment
from ldjcheck.records import Evidence
from ldjcheck.records.observed import Noticed, Observation
from ldjcheck.running.bench import Bench
from ldjcheck.running.snapshot.state import tensors_by_name

_BEYOND = 1e15  # no layer is built with such numbers, and what is left in memory may be
_SHOWN = 3
_HINT = "torch.empty and torch.Tensor(n) hold what was in memory: give it numbers"


def _run(bench: Bench, so_far: Evidence) -> Iterator[Observation]:
    """Yield what the layer holds where nothing finite comes out.

    `torch.empty` and `torch.Tensor(n)` hand out what happens to be in memory.
    """
    asked = so_far.sides[0].answered
    lost = [side for side in asked if not bool(torch.isfinite(side.y.detach()).all())]
    held = [
        f"`{name}` holds {what}"
        for name, tensor in (tensors_by_name(bench.layer.obj) if lost else {}).items()
        if (what := _strange(tensor)) is not None
    ]
    if not held:
        return
    more = f" and {len(held) - _SHOWN} more tensors" if len(held) > _SHOWN else ""
    fault = f"{', '.join(held[:_SHOWN])}{more} as built, and the output is not finite"
    for side in lost:
        seen = side.behaviour
        faults = (fault, _HINT, *seen.faults)
        yield Noticed(direction=side.direction, behaviour=replace(seen, faults=faults))


def _strange(tensor: Tensor) -> str | None:
    """Return what is strange about a tensor's numbers; None where nothing is."""
    if not tensor.is_floating_point() or not tensor.numel():
        return None
    if bool(torch.isnan(tensor).any()):
        return "NaN"
    largest = float(tensor.detach().abs().max())
    return None if largest < _BEYOND else f"numbers up to {largest:.1g}"


EXPERIMENT = Experiment(name="uninitialised-memory", run=_run)
