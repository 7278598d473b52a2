"""Edits of a value that, alone, make reported and exact agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ldjcheck.mistakes.engine.arithmetic.targets import (
    Edit,
    Item,
    Target,
    user_node,
    value_node,
)
from ldjcheck.mistakes.engine.kinds import (
    ADD_ABS,
    ADD_LOG,
    BOUND,
    EVENTS_ONLY,
    EVENTS_ONLY_COLUMN,
    EVENTS_SUMMED,
    LEAVE_IDLE_OUT,
    NATURAL_LOG,
    NUMBER_IN_LOG,
    OTHER_POINT,
    REMOVE_ABS,
    REMOVE_EXP,
    SIGN_OF_FACTOR,
    SUM_FOR_MEAN,
    Kind,
)
from ldjcheck.mistakes.engine.multipliers.counts import active_dims
from ldjcheck.mistakes.engine.source.places import source_text
from ldjcheck.records import Multiplier
from ldjcheck.tape.families import BOUNDED, DIVIDE, LOG, MULTIPLY, REDUCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ldjcheck.tape import Node, Trace


@dataclass(frozen=True, slots=True)
class ValueEdit:
    """One way of editing a target's value, and what kind of explanation it is."""

    kind: Kind
    edit: Edit
    outermost: bool = False  # something is missing: it belongs at the outermost place
    detail: str | None = None
    multiplier: Multiplier | None = None  # by which this multiplies the value's own log


def value_edits(
    target: Target,
    traces: Sequence[Trace],
    *,
    linear: bool,
    finite: bool,
    depends_on_input: Callable[[Trace, Node], bool],
) -> Iterator[ValueEdit]:
    """Yield the edits that make sense for a target, cheap ones first."""
    first = target.first
    if first is None or target.kind == "value":
        yield from _other_points(target, traces, depends_on_input)
        return
    node = value_node(first)
    name = node.name
    if target.kind == "node":
        if name.strip("_") == "abs":
            yield ValueEdit(REMOVE_ABS, _argument)
        if name.strip("_") == "exp":
            yield ValueEdit(REMOVE_EXP, _argument)
        if name in BOUNDED:
            words = source_text(node.place) or f"`{name}`"
            detail = f"where {words} changes nothing"
            yield ValueEdit(BOUND, _argument, detail=detail)
        if name in LOG and not finite:
            yield ValueEdit(ADD_ABS, _log_of_abs)
        if name.startswith(("log2", "log10")):
            yield ValueEdit(NATURAL_LOG, _natural_log)
        if name == "mean":
            yield ValueEdit(SUM_FOR_MEAN, _sum_for_mean)
        if name in REDUCE:
            yield ValueEdit(EVENTS_ONLY, _events_only)
            yield ValueEdit(EVENTS_ONLY_COLUMN, _events_only_column)
            if name == "mean":  # over the batch, and over the dims as well
                yield ValueEdit(EVENTS_SUMMED, _events_summed)
    if linear:
        yield ValueEdit(ADD_LOG, _log, outermost=True)
        yield from _idle_left_out(traces)
    elif target.kind == "edge" and name == "number":
        yield ValueEdit(
            NUMBER_IN_LOG, lambda t, i: torch.zeros((), dtype=torch.float64)
        )
    elif target.kind == "edge" and user_node(first).name in MULTIPLY | DIVIDE:
        # log(c * u) for log(c / u): one factor of what is logged has the wrong sign
        minus = Multiplier(family="sign", label="-1")
        yield ValueEdit(SIGN_OF_FACTOR, _reciprocal, multiplier=minus)
    yield from _other_points(target, traces, depends_on_input)


def _argument(trace: Trace, item: Item) -> Tensor:
    argument: Node = value_node(item).args[0]
    return argument.value


def _log_of_abs(trace: Trace, item: Item) -> Tensor:
    node = value_node(item)
    inner = _argument(trace, item)
    if node.name == "logdet":
        logabsdet: Tensor = torch.linalg.slogdet(inner)[1]
        return logabsdet
    if node.name == "log1p":
        return (1 + inner).abs().log()
    function: Tensor = getattr(torch, node.name.rstrip("_"))(inner.abs())
    return function


def _natural_log(trace: Trace, item: Item) -> Tensor:
    return _argument(trace, item).log()


def _reciprocal(trace: Trace, item: Item) -> Tensor | None:
    value = value_node(item).value
    return value.reciprocal() if value.is_floating_point() else None


def _log(trace: Trace, item: Item) -> Tensor | None:
    value = value_node(item).value
    return value.abs().log() if value.is_floating_point() else None


def _sum_for_mean(trace: Trace, item: Item) -> Tensor:
    node = value_node(item)
    count = node.args[0].value.numel() // max(1, node.value.numel())
    summed: Tensor = node.value * count
    return summed


def _events_only(trace: Trace, item: Item) -> Tensor | None:
    node = value_node(item)
    inner: Tensor = node.args[0].value
    kept = node.value.dim() and len(node.value) == trace.batch
    if inner.dim() < 1 or len(inner) != trace.batch or kept:
        return None
    flat = inner.reshape(trace.batch, -1)
    return flat.mean(1) if node.name == "mean" else flat.sum(1)


def _events_summed(trace: Trace, item: Item) -> Tensor | None:
    mean = _events_only(trace, item)
    inner: Tensor = value_node(item).args[0].value
    return None if mean is None else mean * (inner.numel() // trace.batch)


def _events_only_column(trace: Trace, item: Item) -> Tensor | None:
    value = _events_only(trace, item)
    return None if value is None else value.reshape(-1, 1)


def _idle_left_out(traces: Sequence[Trace]) -> Iterator[ValueEdit]:
    count = len(traces[0].steps)
    if all(len(trace.steps) == count for trace in traces):
        for index in range(count):
            idle = [trace.steps[index].idle for trace in traces]
            if any(bool(i.any()) and not bool(i.all()) for i in idle):
                yield ValueEdit(
                    LEAVE_IDLE_OUT,
                    _zeroed(lambda t, j=index: t.steps[j].idle),  # type: ignore[misc]  # as above
                    outermost=True,
                )  # fmt: skip
    if any(active_dims(trace) < trace.dims for trace in traces):
        yield ValueEdit(LEAVE_IDLE_OUT, _zeroed(_always_idle), outermost=True)


def _always_idle(trace: Trace) -> Tensor:
    return torch.stack([step.idle for step in trace.steps]).all(0)


def _zeroed(which: Callable[[Trace], Tensor]) -> Edit:
    def edit(trace: Trace, item: Item) -> Tensor | None:
        value = value_node(item).value
        whole = value.dim() and len(value) == trace.batch
        if not whole or value.numel() != trace.batch * trace.dims:
            return None
        idle = which(trace).reshape(value.shape[1:])
        return torch.where(idle, torch.zeros((), dtype=value.dtype), value)

    return edit


def _other_points(
    target: Target,
    traces: Sequence[Trace],
    depends_on_input: Callable[[Trace, Node], bool],
) -> Iterator[ValueEdit]:
    """Yield: take the value at another whole intermediate value of the map instead."""
    first = target.first
    if first is None or len({len(trace.points) for trace in traces}) > 1:
        return
    for trace, items in zip(traces, target.items, strict=True):
        for item in items:
            value = value_node(item).value
            if (
                not value.is_floating_point()
                or value.numel() != trace.batch * trace.dims
            ):
                return
            if value_node(item).name == "number":
                return
        if items and not depends_on_input(trace, value_node(items[0])):
            return
    for index in range(len(traces[0].points)):
        yield ValueEdit(
            OTHER_POINT,
            _at_point(index),
            detail=_name_of_point(traces[0], index, user_node(first)),
        )


def _at_point(index: int) -> Edit:
    def edit(trace: Trace, item: Item) -> Tensor:
        value, point = value_node(item).value, trace.points[index].value
        if torch.equal(point.reshape(-1), value.reshape(-1)):
            return value
        return point.reshape(value.shape)

    return edit


def _name_of_point(trace: Trace, index: int, user: Node) -> str:
    if index == 0:
        return "the input of the layer"
    if index == len(trace.points) - 1:
        return "the output of the layer"
    point = trace.points[index]
    where = f"line {point.place.line}" if point.place else "an earlier step"
    before = point.index < user.index
    return f"the value {'after' if before else 'of'} {where}"
