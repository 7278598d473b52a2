"""A flow's sublayers: what each does and says at the point where the flow calls it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ldjcheck.conventions import recognise_conventions
from ldjcheck.numerics.closeness import same
from ldjcheck.object_graph import module_of, owner_of, paths, reachable
from ldjcheck.oracle.direction import measured_side
from ldjcheck.oracle.recording import UntraceableError, record
from ldjcheck.oracle.way_back.preimage import way_back
from ldjcheck.records import Calls, Direction, Probe, Side
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError, on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.calls import Watcher
from ldjcheck.running.runner import Runner
from ldjcheck.tape import Call, FlowParts, Node, Part, Trace


def is_flow(layer: Any) -> bool:
    """Return whether a layer holds a list of layers that each have a way back."""
    lists = (list, tuple, torch.nn.ModuleList, torch.nn.Sequential)

    def is_layer(item: Any) -> bool:
        if module_of(type(item)).startswith(("torch.nn", "builtins")):
            return False
        found = recognise_conventions(item) if callable(item) else ()
        return any(calls.accumulates or calls.inverse is not None for calls in found)

    def has_two(items: Iterable[Any]) -> bool:
        return len([*itertools.islice(filter(is_layer, items), 2)]) == 2

    return any(has_two(item) for item in reachable(layer) if isinstance(item, lists))


_MOST = 64  # sublayers that are looked at; a deeper flow repeats itself


def record_parts(
    bench: Bench, probe: Probe, side: Side, like: FlowParts | None = None
) -> FlowParts | None:
    """Return the sublayers that the flow calls in this direction, in their order.

    None where the flow cannot be recorded, or calls no sublayer. What was found at another
    configuration (`like`) is looked at again, and nothing else.

    A sublayer is an object that, called by itself in one of its own conventions at the
    input that it got in the flow, gives the output that it gave in the flow, and reports
    an ldj. Nothing else makes it one: no name, no type. Within one that reports what it
    does, nothing is looked for, and what it calls itself for, as a solver does its own map,
    is a step of it.
    """
    runner, _, _ = bench.ready(probe)
    watcher = Watcher(runner.layer)
    try:
        trace = record(runner, probe, side, watcher, steps=False)
    except (FailedCallError, UntraceableError):
        return None
    if trace is None:
        return None
    found: list[_Found] = []
    names = _names(runner.layer, watcher.calls)
    if like is not None:
        wanted = {part.path for part in like.parts}
        names = {owner: path for owner, path in names.items() if path in wanted}
    for call in watcher.calls:
        if id(call.owner) not in names:
            continue  # made on the way, for one pass of a loop perhaps: no sublayer
        again = next((each for each in found if each.is_met_again(call)), None)
        around = [each for each in found if _encloses(each.call, call)]
        if again is not None:
            again.count(trace, call)
        elif any(_is_closed(each, call, like) for each in around):
            continue
        elif (own := _own_numbers(runner, call, bench)) is not None:
            if own.exact.shape == trace.reported.shape:
                found.append(_Found(call, own, trace))
            elif not around:  # run on several pieces of each sample, it has a number
                found.clear()  # for each: the flow's samples are not its own
                break
        if len(found) >= _MOST:
            break
    if not found:
        return None
    return FlowParts(
        reported=_reported(trace),
        exact=trace.exact,
        parts=_oriented(_as_parts(names, found), side),
    )


def _is_closed(outer: _Found, call: Call, like: FlowParts | None) -> bool:
    """Return whether nothing is looked for in a call within a sublayer's own."""
    return outer.call.owner is call.owner or (like is None and outer.own.is_right())


class _Found:
    """A sublayer at one point of the flow, with all the calls that it got there."""

    def __init__(self, call: Call, own: _Own, trace: Trace) -> None:
        self.call, self.own = call, own
        self.counted = torch.zeros(trace.batch, dtype=torch.float64)
        self._calls: list[Call] = []
        self.count(trace, call)

    def is_met_again(self, call: Call) -> bool:
        """Return whether a call is to this sublayer at the same point, either way."""
        own, other = (self.call.x, self.call.y), (call.x, call.y)
        return self.call.owner is call.owner and any(
            all(same(a.value, b.value) for a, b in zip(own, ends, strict=True))
            for ends in (other, other[::-1])
        )

    def count(self, trace: Trace, call: Call) -> None:
        """Take account of a call: the map may be asked for first, the ldj in another."""
        if any(_encloses(outer, call) for outer in self._calls):
            return  # it hands on to a method of its own
        self._calls.append(call)
        self.counted = self.counted + _counted(trace, call, self.own.calls.accumulates)


@dataclass(frozen=True, slots=True, eq=False)
class _Own:
    """What a sublayer does and says by itself."""

    direction: Direction
    exact: Tensor
    claimed: Tensor
    calls: Calls

    def is_right(self) -> bool:
        """Return whether the sublayer says what it does."""
        return same(self.claimed, self.exact)


def _own_numbers(runner: Runner, call: Call, bench: Bench) -> _Own | None:
    if _is_ready_made(call.owner) or call.x.value.dim() < 1:
        return None
    for calls in recognise_conventions(call.owner):
        kwargs = {
            name: node.value
            for name, node in call.named.items()
            if name in calls.tensor_names
        }
        alone = Runner(
            layer=call.owner,
            calls=calls,
            kwargs={**dict(bench.options.kwarg), **kwargs} if kwargs else {},
            promote=runner.promote,
            seed=runner.seed,
            constants=runner.constants,
            timeout=runner.timeout,
        )
        directions: tuple[Direction, ...] = ("forward", "inverse")
        for direction in directions:
            if calls.way(direction) is not None:
                own = _measured(alone, direction, call, bench)
                if own is not None:
                    return own
    return None


@on_failure(None)
def _measured(
    alone: Runner, direction: Direction, call: Call, bench: Bench
) -> _Own | None:
    """Return the sublayer's own numbers, if it does by itself what it did there."""
    x = call.x.value
    outcome = alone.run(direction, x, Frozen())
    if outcome.reported is None or not same(outcome.y, call.y.value):
        return None
    numbers = replace(bench, behaviour=False)
    if direction == "inverse" and alone.calls.forward is not None:
        there = measured_side(alone, "forward", outcome.y.detach(), numbers)
        side = way_back(alone, x, there, numbers)
    else:
        side = measured_side(alone, direction, x, numbers)
    exact, claimed = side.exact.ldj, side.said.ldj
    if exact is None or claimed is None:
        return None
    if not (exact.isfinite().all() and claimed.isfinite().all()):
        return None
    return _Own(direction, exact, claimed, alone.calls)


def _is_ready_made(owner: Any) -> bool:
    """Return whether an object is one of torch's own network layers."""
    return module_of(type(owner)).startswith("torch.nn.")


def _encloses(outer: Call, inner: Call) -> bool:
    return outer.begin <= inner.begin and inner.end <= outer.end


def _reported(trace: Trace) -> Tensor:
    """Return the flow's ldj as it stands on the tape: from zero, where it accumulates."""
    return trace.reported if trace.ldj is None else trace.per_sample(trace.ldj.value)


def _counted(trace: Trace, call: Call, accumulates: bool) -> Tensor:
    """Return by how much the flow's ldj would be less without this call's, `(batch,)`."""
    if call.ldj is None:
        return torch.zeros(trace.batch, dtype=torch.float64)
    without = torch.zeros_like(call.ldj.value)
    if accumulates:
        before = _total_before(call, call.ldj)
        if before is not None:
            without = before.value.to(without).expand_as(without)
    left = trace.replayed({call.ldj: without})
    if left is trace.reported:  # nothing of it enters the flow's ldj
        return torch.zeros(trace.batch, dtype=torch.float64)
    return _reported(trace) - left


def _total_before(call: Call, after: Node) -> Node | None:
    """Return the running total that was handed in: the tensor that is shaped like it."""
    shape = after.value.shape
    fitting = [node for node in call.named.values() if node.value.shape == shape]
    return fitting[0] if fitting else None


def _names(flow: Any, calls: Sequence[Call]) -> dict[int, str]:
    """Return how to write each object that the flow holds, by its id.

    A lazy flow first builds what it then calls; that holds the sublayers instead.
    """
    names = paths(owner_of(flow))
    if not any(id(call.owner) in names for call in calls) and calls:
        names = paths(calls[0].owner)
    return names


def _as_parts(names: dict[int, str], found: Sequence[_Found]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for index, each in enumerate(found):
        call, own = each.call, each.own
        around = [i for i in range(index) if _encloses(found[i].call, call)]
        kind = type(call.owner).__name__
        parts.append(
            Part(
                path=names[id(call.owner)],
                kind=kind,
                owner=call.owner,
                direction=own.direction,
                exact=own.exact,
                claimed=own.claimed,
                counted=each.counted,
                outer=around[-1] if around else None,
                caller=call.caller,
                shape=tuple(call.x.value.shape[1:]),
                contexts=tuple(
                    (name, tuple(node.value.shape[1:]))
                    for name, node in call.named.items()
                    if name in own.calls.tensor_names
                ),
            )
        )
    return tuple(parts)


def _oriented(parts: Iterable[Part], side: Side) -> tuple[Part, ...]:
    """Return the parts as the flow runs through them.

    A library may derive an inverse's ldj from the forward map, whose sublayers are then
    called forward on the way back: their numbers count the other way around. They do in
    log q, too.
    """
    parts = tuple(parts)
    outermost = [part.exact for part in parts if part.outer is None]
    if side.exact.ldj is None or not outermost:
        return parts
    total = torch.stack(outermost).sum(0)
    backwards = not same(total, side.exact.ldj) and same(-total, side.exact.ldj)
    if side.exact.turned == 1 and not backwards:
        return parts
    return tuple(
        replace(part, exact=-part.exact, claimed=-part.claimed) for part in parts
    )
