"""Which of the user's functions run in a call, and what they return."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from types import CodeType, FrameType, FunctionType
from typing import Any

import torch
from torch import Tensor

from ldjcheck.calling.parameter_names import Unit, unit_of_method
from ldjcheck.calling.signature import signature_of
from ldjcheck.conventions.distributions.model import densities, in_nats
from ldjcheck.numerics.closeness import same
from ldjcheck.records import Direction, Kwargs, Probe, Returned
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError, on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Outcome
from ldjcheck.tape.frames import is_users
from ldjcheck.tracing import trace_calls

Returns = list[tuple[CodeType, Any]]

_EVEN = 1e-9  # relative: by rounding alone slopes differ


def run_at(
    bench: Bench, probe: Probe, direction: Direction
) -> tuple[Outcome | None, Returns]:
    """Return what one call comes to, and each function that ran with what it returned.

    In the order in which they end, the outermost last; no outcome where the layer raises.
    """
    ended: Returns = []

    def hears(frame: FrameType, event: str, result: Any) -> None:
        says = event == "return" and result is not None
        if says and is_users(frame.f_code.co_filename):
            ended.append((frame.f_code, result))

    runner, x, _ = bench.ready(probe)
    try:
        with trace_calls(hears):
            asked = x.requires_grad_() if x.is_floating_point() else x
            outcome = runner.run(direction, asked, Frozen())
    except FailedCallError:
        return None, ended
    return outcome, ended


Said = tuple[str, Unit | None, Any, Returns]


def said_by_densities(bench: Bench, probe: Probe) -> Iterator[Said]:
    """Yield what each density of the layer's own says in its unit, and what ran for it.

    Of a function those are the others of its source that call it; in no unit is what no name
    tells that of. They are called as the layer is; one that cannot be, says None.
    """
    way, obj = bench.calls.forward, bench.layer.obj
    if way is None:
        return
    for name, unit in [*((n, u) for n, u, _ in densities(obj)), *_callers(obj)]:
        call = partial(_said, name, unit or "nats")
        asking = replace(way, call=call, afresh=None, asks=None)
        asked = replace(bench, calls=replace(bench.calls, forward=asking))
        outcome, ended = run_at(asked, probe, "forward")
        yield name, unit, None if outcome is None else outcome.raw, ended


@on_failure(None)
def counted_in(bench: Bench, probe: Probe, times: int) -> str | None:
    """Return which density of the layer's own counts what its call returns so many times.

    Of each number that stands beside the output. Where no name tells a loss from a density,
    what is counted once may have either sign, and is never known to be taken off.
    """
    _, ended = run_at(bench, probe, "forward")
    for name, unit, said, again in said_by_densities(bench, probe) if ended else ():
        made = [result for code, result in again if code is ended[-1][0]]
        counted = _times_counted(made[-1], said) if made else None
        if counted is not None and unit is None:
            counted = abs(counted)
        if counted == times:
            return name
    return None


def _callers(function: Any) -> Iterator[tuple[str, Unit | None]]:
    """Yield the functions that call another in their source, and in which unit they speak.

    Of those that need what that one takes, and nothing else: a script's `main()` is none.
    None where no name tells the unit.
    """
    taken = signature_of(function)
    beside = getattr(function, "__globals__", {})
    if not isinstance(function, FunctionType) or taken is None:
        return
    for name, other in list(beside.items()):
        if not isinstance(other, FunctionType) or other is function:
            continue
        needs, is_beside = signature_of(other), other.__module__ == function.__module__
        calls = is_beside and function.__name__ in other.__code__.co_names
        required = set() if needs is None else {*needs.required}
        if calls and required and required <= {*taken.names}:
            yield name, unit_of_method(name)


def _said(
    name: str, unit: Unit, layer: Any, x: Tensor, _: Tensor | None, kwargs: Kwargs
) -> Returned:
    beside = getattr(layer, "__globals__", {})
    said = (beside[name] if name in beside else getattr(layer, name))(x, **kwargs)
    return Returned(y=x, ldj=in_nats(said, x, unit))


def is_added(number: Any, said: Tensor | None) -> bool:
    """Return whether what is said adds a number of each sample, or takes it off.

    So it does with an ldj, whatever that is called; with a condition or a norm it does more.
    """
    if said is None or not said.requires_grad:
        return False
    if not isinstance(number, Tensor) or not number.requires_grad:
        return False
    (slope,) = torch.autograd.grad(
        said.sum(), number, allow_unused=True, retain_graph=True
    )
    if slope is None or not slope.any():
        return False
    return bool(slope.max() - slope.min() <= _EVEN * slope.abs().max())


def _times_counted(result: Any, said: Any) -> float | None:
    """Return how often what is said counts each number that stands beside an output.

    None where it counts some more often than others, or none.
    """
    beside = (
        result[1] if isinstance(result, tuple | list) and len(result) == 2 else None
    )
    if not isinstance(beside, Tensor) or not isinstance(said, Tensor):
        return None
    if not (beside.requires_grad and said.requires_grad):
        return None
    (slope,) = torch.autograd.grad(said.sum(), beside, allow_unused=True)
    times = None if slope is None or not slope.numel() else round(float(slope.mean()))
    return times if times and same(slope, torch.full_like(slope, times)) else None
