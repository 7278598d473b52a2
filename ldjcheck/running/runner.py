"""The one place where the user's layer is called."""

import contextlib
import math
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ldjcheck.errors import LAYERS_OWN
from ldjcheck.records import (
    CallFunction,
    Calls,
    Deadline,
    Direction,
    Returned,
    Shape,
    Way,
)
from ldjcheck.records.asked import Oracle
from ldjcheck.records.called import CallFacts
from ldjcheck.running.call_mode import PLAIN, Manner
from ldjcheck.running.failed_calls import (
    AbsentWayError,
    FailedCallError,
    LayerRaisedError,
    UnexpectedReturnError,
)
from ldjcheck.running.flattening import Layout, gathered
from ldjcheck.running.guard import Frozen, Guard
from ldjcheck.running.placement import CPU, placed
from ldjcheck.running.reported import reported_of
from ldjcheck.running.snapshot.isolation import reseed
from ldjcheck.tracebacks import message_of

_OF_ONE = 1e4  # multiplications in the time that an operation takes by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(CallFacts):
    """One call's output and its ldj, brought to `(batch,)` where that is possible."""

    y: Tensor
    raw: Any  # the ldj as the layer gave it
    reported: Tensor | None  # (batch,), nats, direction's own sign; None: none reported
    shares: Tensor | None  # (batch, dims) where the convention reports elementwise
    form: str | None  # how the ldj's form breaks the promise; None: as promised
    draws: int
    operations: int  # torch's, in this call
    multiplications: int  # of its matrix products
    single: bool = False  # a number that float32 has rounded entered the call
    coarse: str | None = None  # the least precision below float32's that it computed in
    x_change: float = 0.0  # how far the call moved its own input
    start_change: float = 0.0  # and the total that was passed in
    eager: bool = False  # autograd refused; it ran without gradients

    @property
    def work(self) -> float:
        """How long the call is, in operations of small tensors."""
        return self.operations + self.multiplications / _OF_ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Calls one copy of a layer, guarded and repeatable.

    Args:
        layer: the copy.
        calls: how it is called.
        kwargs: keyword arguments of every call; tensors are cloned each time.
        promote: whether float64 is enforced inside.
        seed: the state of all random generators at the start of each call.
        device: where the copy is; what goes in and comes out is on the CPU.
    """

    layer: Any
    calls: Calls
    kwargs: Mapping[str, Any]
    promote: bool = True
    seed: int = 0
    constants: tuple[Tensor, ...] = ()  # made in float32, and not moved by training
    # of y, for x of a size: what is handed back, read otherwise, has another
    sizes: dict[tuple[CallFunction, Shape], Shape] = field(default_factory=dict)
    layouts: dict[Direction, Layout | None] = field(default_factory=dict)  # last seen
    # contexts, on the way there
    handed: dict[str, Tensor] = field(default_factory=dict)
    oracle: Oracle | None = None  # the user's, instead of automatic differentiation
    device: torch.device = CPU  # a constant, so sharing it is safe
    dtype: torch.dtype | None = None  # of the input, where it is not that of the check
    timeout: Deadline | None = None  # from then on no call is made, or goes on
    patience: float = math.inf  # the operations after which any call counts as endless

    def run(
        self,
        direction: Direction,
        x: Tensor,
        frozen: Frozen,
        manner: Manner = PLAIN,
        *,
        start: Tensor | None = None,
    ) -> Outcome:
        """Return what the layer makes of `x`, shape `(batch, *event)`.

        `start` is the running total that it adds to, where it adds to one.

        Raises:
            LayerRaisedError: the layer raised.
            UnexpectedReturnError: what came back holds no output tensor.
            TimeIsUpError: the time of the check is over.
        """
        way = self._begun(direction)
        if self.calls.accumulates and start is None:
            start = self.start(x)
        given = x.clone().to(self.device)
        total = None if start is None else start.clone().to(self.device)
        manner.begin(given, total)
        patience = min(manner.patience, self.patience)
        manner = replace(manner, patience=patience)
        guard = Guard(frozen, manner, promote=self.promote, timeout=self.timeout)
        before = sys.exc_info()[1]
        try:
            with _Undisturbed(self._dtype), manner.onlooker, guard:
                returned = self._call(way, direction, given, total)
                gathered_y, layout = gathered(returned.y)
        except MemoryError:
            raise
        except LAYERS_OWN as error:
            without = None
            if _refuses_writes(error) and not manner.needs_gradients:
                without = self._eagerly(direction, x, frozen, manner, start)
            if without is not None:
                return without
            raise LayerRaisedError(error, before) from None
        self._remember(direction, returned, layout)
        y = _output_of(gathered_y, returned, guard)
        known = self.sizes.setdefault((way.call, x.shape), y.shape)
        if y.shape != known:
            said = f"{_describe(returned)}, and an output of {tuple(known)} before"
            raise UnexpectedReturnError(said)
        reported, shares, form = self._reported(way, returned, start, x)
        return Outcome(
            y=y,
            raw=returned.ldj,
            reported=reported,
            shares=shares,
            form=form,
            x_change=_change(given.to(CPU), x),
            start_change=0.0
            if total is None or start is None
            else _change(total.to(CPU), start),
            draws=guard.draws,
            operations=guard.operations,
            multiplications=guard.multiplications,
            **{**returned.facts(), "taken": placed(returned.taken, CPU)},
            single=self.promote and (guard.single or is_single(returned.ldj)),
            coarse=guard.coarse,
        )

    def output(self, direction: Direction, x: Tensor) -> Tensor:
        """Return where a direction leads from `x`, and nothing else of the call.

        Raises:
            FailedCallError: the call came to nothing.
        """
        return self.run(direction, x, Frozen()).y.detach()

    def around(self, x: Tensor) -> Tensor:
        """Return where the way back leads from where the way there has led from `x`.

        Raises:
            FailedCallError: a call came to nothing.
        """
        return self.output("inverse", self.output("forward", x))

    def unwatched(self, direction: Direction, x: Tensor) -> Tensor | None:
        """Return what the layer reports where nothing looks on: as its own users call it.

        No guard is there, so this is for what was seen to draw no noise and to end.
        """
        way = self._begun(direction)
        start = self.start(x) if self.calls.accumulates else None
        total = None if start is None else start.clone()
        try:
            with torch.enable_grad(), _Undisturbed():
                returned = self._call(way, direction, x.clone(), total)
        except LAYERS_OWN:
            return None
        if not isinstance(returned.ldj, Tensor) or returned.event_dim is not None:
            return None
        return self._reported(way, returned, start, x)[0]

    def without_total(self, direction: Direction, x: Tensor) -> Returned | None:
        """Return what a call without a running total does, or None where it raises."""
        way = self._begun(direction)
        try:
            with torch.no_grad(), _Undisturbed(self._dtype):
                return self._call(way, direction, x.clone().to(self.device), None)
        except LAYERS_OWN:
            return None

    @property
    def _dtype(self) -> torch.dtype:
        return torch.float64 if self.promote else torch.float32

    def _begun(self, direction: Direction) -> Way:
        """Return the way, all random generators as they are at the start of each call."""
        way = self.calls.way(direction)
        if way is None:
            raise AbsentWayError
        if self.timeout is not None:
            self.timeout.check()
        self._reseed()
        return way

    def _call(
        self, way: Way, direction: Direction, given: Tensor, total: Tensor | None
    ) -> Returned:
        if self.dtype is not None and direction == "forward":
            given = given.detach().to(self.dtype)
        fed = self._spread(direction, given)
        return way.call(self.layer, fed, total, self._fresh_kwargs(direction))

    def _remember(
        self, direction: Direction, returned: Returned, layout: Layout | None
    ) -> None:
        """Keep what the way back needs of the way there."""
        self.layouts[direction] = layout
        if direction == "forward":
            self.handed.clear()
            self.handed.update({n: t.detach() for n, t in returned.handed_on.items()})

    def _reported(
        self, way: Way, returned: Returned, start: Tensor | None, x: Tensor
    ) -> tuple[Tensor | None, Tensor | None, str | None]:
        """Return the ldj for each sample, its parts, and how its form breaks the promise."""
        event_dim = way.event_dim if returned.event_dim is None else returned.event_dim
        said = placed(_plain(returned.ldj), CPU)
        return reported_of(said, start, x, self.calls, event_dim, spread=way.spread)

    def _spread(self, direction: Direction, given: Tensor) -> Any:
        """Return what the call takes: several tensors where it takes or made several."""
        layout = self.layouts.get("forward") if direction == "inverse" else None
        if layout is None and self.calls.parts:
            names, shapes = zip(*self.calls.parts, strict=True)
            layout = Layout(shapes, None if None in names else names)
        if layout is None or layout.dims * len(given) != given.numel():
            return given
        return layout.spread(given)

    def _eagerly(
        self,
        direction: Direction,
        x: Tensor,
        frozen: Frozen,
        manner: Manner,
        start: Tensor | None,
    ) -> Outcome | None:
        """Return the outcome without gradients, if the layer writes into its input.

        Autograd refuses such writes where they go through several views at once. Any
        other layer that raises is left to raise.
        """
        manner = manner.without_gradients
        with torch.no_grad():
            try:
                outcome = self.run(direction, x, frozen, manner, start=start)
            except FailedCallError:
                return None
        return replace(outcome, eager=True) if outcome.x_change else None

    def start(self, x: Tensor) -> Tensor:
        """Return a running total to add to: one per sample, of both signs, never zero."""
        steps = torch.arange(
            1, len(x) + 1, dtype=x.dtype if x.is_floating_point() else None
        )
        total = 0.75 * steps * (-1.0) ** steps
        return total[:, None] if self.calls.column else total

    def _reseed(self) -> None:
        reseed(self.seed)
        if self.device != CPU:
            torch.get_device_module(self.device).manual_seed_all(self.seed)

    def _fresh_kwargs(self, direction: Direction) -> dict[str, Any]:
        handed = self.handed if direction == "inverse" else {}
        return {
            name: placed(value.clone(), self.device)
            if isinstance(value, Tensor)
            else value
            for name, value in {**self.kwargs, **handed}.items()
        }


class _Undisturbed:
    """Puts back what a call may change for all that comes after it, ourselves included.

    What the user has compiled runs as it is written meanwhile: a graph that was traced
    beside what watches, or for another batch, is none of the layer's. New tensors are of
    `dtype`, if one is given.
    """

    def __init__(self, dtype: torch.dtype | None = None) -> None:
        self._wanted = dtype

    def __enter__(self) -> None:
        self._eager = _as_written()
        self._eager.__enter__()
        # where a new tensor lies is known at once; `get_default_device` takes its time
        self._device, self._depth = torch.empty(0).device, sys.getrecursionlimit()
        self._dtype, self._grad = torch.get_default_dtype(), torch.is_grad_enabled()
        self._folder, self._path = os.getcwd(), list(sys.path)
        if self._wanted is not None:
            torch.set_default_dtype(self._wanted)

    def __exit__(self, *raised: object) -> None:
        self._eager.__exit__(None, None, None)
        os.chdir(self._folder)
        sys.path[:] = self._path
        sys.setrecursionlimit(self._depth)
        torch.set_grad_enabled(self._grad)
        torch.set_default_dtype(self._dtype)
        before = self._device
        if torch.empty(0).device != before:
            torch.set_default_device(None if before.type == "cpu" else before)


def _as_written() -> AbstractContextManager[object]:
    """Return what keeps compiled code from being run, where anything has been compiled."""
    compiles = "torch._dynamo" in sys.modules  # which loads for seconds
    stance = getattr(torch.compiler, "set_stance", None) if compiles else None
    return contextlib.nullcontext() if stance is None else stance("force_eager")


def _refuses_writes(error: BaseException) -> bool:
    """Return whether autograd refuses that something is written in place."""
    return (
        torch.is_grad_enabled()
        and isinstance(error, RuntimeError)
        and "inplace" in message_of(error).replace("-", "")
    )


def _output_of(gathered_y: Any, returned: Returned, guard: Guard) -> Tensor:
    """Return the output as a plain tensor on the CPU.

    Raises:
        UnexpectedReturnError: it is none, or what stands for the ldj is no number.
    """
    for each in (gathered_y, returned.ldj):
        if getattr(each, "is_meta", False):
            raise UnexpectedReturnError("tensors that hold no numbers, of device meta")
        if getattr(each, "is_nested", False):
            raise UnexpectedReturnError("nested tensors, which have no shape")
    y = placed(_plain(gathered_y), CPU)
    if not isinstance(y, Tensor):
        is_none = y is None and returned.ldj is None
        raise UnexpectedReturnError(
            _describe(returned),
            is_foreign=y is not None,  # a branch that ends without a return
            is_unwritten=is_none and guard.operations == 0,
        )
    if not (returned.ldj is None or _is_number(returned.ldj)):
        raise UnexpectedReturnError(_describe(returned))
    return y


def _plain(value: Any) -> Any:
    """Return a tensor of whatever kind as a plain one of numbers to compute with."""
    if isinstance(value, Tensor) and type(value) is not Tensor:
        value = value.as_subclass(Tensor)
    if isinstance(value, Tensor) and value.layout is not torch.strided:
        value = value.to_dense()
    if isinstance(value, Tensor) and value.is_quantized:
        value = value.dequantize()
    if isinstance(value, Tensor) and value.dtype is torch.bool:
        value = value.to(torch.uint8)  # truth values are whole numbers
    if isinstance(value, Tensor) and value.is_floating_point() and value.itemsize < 2:
        value = value.float()  # torch computes nothing in eight bits
    return value


def _change(now: Tensor, before: Tensor) -> float:
    """Return the largest change of an entry; infinite for another shape."""
    if now.shape != before.shape:
        return float("inf")
    if torch.equal(now, before):
        return 0.0
    change = (now.detach() - before.detach()).double().abs()
    return float(change.nan_to_num(nan=float("inf")).max())


def _is_number(value: Any) -> bool:
    numbers = (Tensor, int, float, np.number, np.ndarray)
    return isinstance(value, numbers) and not isinstance(value, bool)


def is_single(ldj: Any) -> bool:
    """Return whether an ldj is a number of NumPy's in less than float64."""
    return isinstance(ldj, np.generic) and ldj.dtype in (np.float16, np.float32)


def _describe(returned: Any) -> str:
    if returned.y is None and returned.ldj is None:
        return "None, which is no output: is its `return` missing?"
    return f"output of type {_kind(returned.y)}, ldj of type {_kind(returned.ldj)}"


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"Tensor of shape {tuple(value.shape)}"
    return type(value).__name__
