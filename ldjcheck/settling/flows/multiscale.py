"""Flows of several scales: what leaves on the way belongs to the output.

A split hands on a part of the dims and adds the log-density of the rest to the ldj. With
the rest put back beside the output, and its log-density taken off the ldj, the flow is a
bijection of all dims, whose Jacobian is square. Whether what a split adds is a log-density
is asked of the split by itself.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ldjcheck.calling.outputs import of_fewer_outputs
from ldjcheck.conventions import recognise_conventions
from ldjcheck.numerics.closeness import same
from ldjcheck.object_graph import paths
from ldjcheck.oracle.derivatives.autograd import FrozenMap
from ldjcheck.oracle.derivatives.jacobian import NoJacobianError, log_abs_det
from ldjcheck.records import Calls, FactorOut, Kwargs, Returned, Shape
from ldjcheck.records.called import Way
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.flattening import gathered
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.dropped_dims import Asked, Leavings, Left
from ldjcheck.running.runner import Runner

_SAME = 1e-9
# A singular value below this share of the largest: dims merged or lost.
_SMALLEST = 1e-9


def with_departures(bench: Bench) -> Bench:
    """Return the bench with what leaves on the way as a part of the output.

    As it is, where nothing leaves, or where it is not what the output lacks.
    """
    calls = bench.calls
    if calls.forward is None or calls.parts or calls.departures:
        return bench
    found = _factor_outs(bench)
    if not found:
        return bench
    whole, back = _Whole(calls, calls.forward, found), calls.inverse
    if back is not None:
        back = replace(back, call=partial(whole.inverse, back))
    there = replace(calls.forward, call=whole.forward)
    opened = replace(
        bench, calls=replace(calls, forward=there, inverse=back, departures=found)
    )
    all_split = all(each.calls is not None for each in found)
    return opened if all_split or whole.is_regular(opened) else bench


def _factor_outs(bench: Bench) -> tuple[FactorOut, ...]:
    x = bench.inputs()
    runner = bench.runner(warm_up=x)
    try:
        with Leavings(flow=runner.layer).listening() as heard:
            outcome = runner.run("forward", x, Frozen())
    except FailedCallError:
        return ()
    found: dict[str, FactorOut] = {}
    for left in heard.heard:
        if left.path not in found and (each := _departure(runner, left)):
            found[left.path] = each
    with Leavings(flow=runner.layer, wanted=found).listening() as again:
        runner.run("forward", x, Frozen())
    lost = x.numel() - outcome.y.numel()
    lost -= sum(left.x.numel() - left.y.numel() for left in again.heard)
    if not lost:
        return tuple(found.values())
    inline = [each for each in again.asked if _is_of(each, x)]
    if lost != sum(each.z.numel() for each in inline):
        return ()
    names = paths(runner.layer) if inline else {}
    return (*found.values(), *(_as_departure(each, names) for each in inline))


def _as_departure(asked: Asked, names: Mapping[int, str]) -> FactorOut:
    kind, shape = type(asked.owner).__name__, tuple(asked.z.shape[1:])
    path = names.get(id(asked.owner), "")
    return FactorOut(path=path, kind=kind, calls=None, shape=shape)


def _is_of(asked: Asked, x: Tensor) -> bool:
    """Return whether a density was asked for each sample of the batch."""
    answer, z = asked.answer, asked.z
    return bool(z.dim() and answer.dim()) and len(z) == len(answer) == len(x)


def _departure(runner: Runner, left: Left) -> FactorOut | None:
    """Return how a split is called, if it hands on what it keeps and reports an ldj.

    What it drops it may hand back as well: then the flow goes on without that.
    """
    for recognised in recognise_conventions(left.owner):
        if recognised.forward is None:
            continue
        contexts = _contexts(left, recognised)
        alone = replace(runner, layer=left.owner, kwargs=contexts)
        for less, calls in _as_it_is_and_less(alone, recognised, left):
            try:
                again = replace(alone, calls=calls, layouts={})
                outcome = again.run("forward", left.x, Frozen())
                kept = _kept(left, calls)
            except (FailedCallError, RuntimeError, ValueError):
                continue
            flat = left.x.detach().flatten(1)
            if outcome.reported is None or kept is None or not same(outcome.y, left.y):
                continue
            if not same(flat[:, kept], left.y.detach().flatten(1)):
                continue
            return FactorOut(
                path=left.path,
                kind=type(left.owner).__name__,
                calls=calls,
                shape=tuple(left.x.shape[1:]),
                contexts=tuple(
                    (name, tuple(value.shape[1:]))
                    for name, value in contexts.items()
                    if isinstance(value, Tensor)
                ),
                less=less,
            )
    return None


def _as_it_is_and_less(
    alone: Runner, calls: Calls, left: Left
) -> Iterator[tuple[int | None, Calls]]:
    """Yield the calls, then with each of several outputs left out, and which one."""
    yield None, calls
    again = replace(alone, calls=calls, layouts={})
    try:
        again.run("forward", left.x, Frozen())
    except FailedCallError:
        return
    layout = again.layouts["forward"]
    count = 0 if layout is None else len(layout.shapes)
    yield from of_fewer_outputs(calls, count)


def _contexts(left: Left, calls: Calls) -> dict[str, Any]:
    return {n: left.given[n] for n in calls.context_names if n in left.given}


def _returned(left: Left, calls: Calls, x: Tensor) -> Returned:
    """Return what a split makes of an input by itself."""
    assert calls.forward is not None
    start = x.new_zeros((len(x), 1) if calls.column else (len(x),))
    total = start if calls.accumulates else None
    return calls.forward.call(left.owner, x, total, _contexts(left, calls))


def _kept(left: Left, calls: Calls) -> list[int] | None:
    """Return which entries a split keeps, in its order; None where it does not copy.

    Numbers that are their own positions are sent through.
    """
    x = torch.zeros_like(left.x)
    x = x + torch.arange(x[0].numel(), dtype=x.dtype).reshape(x.shape[1:])
    with torch.no_grad():
        y, _ = gathered(_returned(left, calls, x).y)
    kept = y[0].flatten()
    whole = [int(value) for value in kept.tolist() if float(value).is_integer()]
    inside = len(set(whole)) == kept.numel() and all(
        0 <= index < x[0].numel() for index in whole
    )
    return whole if inside else None


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What left at one split: the entries, and the log-density that it says they have."""

    rest: Tensor  # (batch, dims)
    claimed: Tensor  # (batch,)


class _Whole:
    """Calls a flow so that what leaves on the way is a part of the output."""

    def __init__(self, calls: Calls, there: Way, found: tuple[FactorOut, ...]) -> None:
        self._calls, self._there = calls, there
        self._by_path = {d.path: d.calls for d in found if d.calls is not None}
        self._inline = any(each.calls is None for each in found)
        self._silent = False  # the densities are asked, and not added
        self._kept: dict[int, Shape] = {}  # the shape of the output, by all dims

    def is_regular(self, bench: Bench) -> bool:
        """Return whether what densities were asked about is what the output lacks.

        Where the ldj is right without them, the flow only asks and does not add them.
        """
        x = bench.inputs()
        runner = bench.runner(warm_up=x)
        map_ = FrozenMap(runner=runner, direction="forward", x=x, frozen=Frozen())
        bare = replace(runner, calls=self._calls, layouts={})
        try:
            jacobian = map_.jacobian(map_.origin)[0].double()
            raw = bare.run("forward", x, Frozen()).reported
        except (FailedCallError, NoJacobianError):
            return False
        if jacobian.shape[1] != jacobian.shape[2] or not jacobian.isfinite().all():
            return False
        if bool(((jacobian - jacobian.round()).abs() < _SAME).all()):
            return False  # all is copied: a split by itself, judged by what it adds
        sizes = torch.linalg.svdvals(jacobian)
        if bool((sizes.amin(1) <= _SMALLEST * sizes.amax(1)).any()):
            return False
        exact = log_abs_det(jacobian)[1]
        self._silent = raw is not None and same(raw.detach().double(), exact)
        return True

    def forward(
        self, layer: Any, x: Tensor, start: Tensor | None, kwargs: Kwargs
    ) -> Returned:
        with self._listening(layer) as heard:
            returned = self._there.call(layer, x, start, kwargs)
        y, _ = gathered(returned.y)
        parts = self._parts(heard, x)
        whole = torch.cat([y.flatten(1), *(part.rest for part in parts)], dim=1)
        self._kept[whole.shape[1]] = tuple(y.shape[1:])
        left = sum(part.rest.shape[1] for part in parts)
        ldj = self._less(returned.ldj, parts, start)
        return replace(returned, y=whole, ldj=ldj, left=left, taken=_sum(parts))

    def inverse(
        self, back: Way, layer: Any, y: Tensor, start: Tensor | None, kwargs: Kwargs
    ) -> Returned:
        shape = self._kept.get(y[0].numel(), tuple(y.shape[1:]))
        kept = y.flatten(1)[:, : torch.Size(shape).numel()].reshape(len(y), *shape)
        returned = back.call(layer, kept, start, kwargs)
        with self._listening(layer) as heard:
            self._there.call(layer, returned.y, start, kwargs)
        parts = self._parts(heard, returned.y)
        ldj = self._less(returned.ldj, parts, start, back=True)
        return replace(returned, ldj=ldj, taken=_sum(parts))

    def _listening(self, layer: Any) -> AbstractContextManager[Leavings]:
        return Leavings(flow=layer, wanted=self._by_path).listening()

    def _less(
        self, ldj: Any, parts: list[_Part], start: Tensor | None, *, back: bool = False
    ) -> Any:
        """Return the ldj without the log-densities of what left.

        A flow that adds nothing at all stays one that adds nothing.
        """
        if ldj is None or _is_nothing(ldj, start):
            return ldj
        sign = -self._calls.sign if back else self._calls.sign
        for part in parts:
            claimed = part.claimed
            if isinstance(ldj, Tensor) and ldj.dim() == 2 and ldj.shape[1] == 1:
                claimed = claimed[:, None]
            ldj = ldj - sign * claimed
        return ldj

    def _parts(self, heard: Leavings, x: Tensor) -> list[_Part]:
        parts = [self._part(left) for left in heard.heard]
        asked = [each for each in heard.asked if self._inline and _is_of(each, x)]
        for each in asked:
            claimed = each.answer.reshape(len(x), -1).sum(1) * (not self._silent)
            parts.append(_Part(rest=each.z.flatten(1), claimed=claimed))
        return parts

    def _part(self, left: Left) -> _Part:
        calls = self._by_path[left.path]
        kept = set(_kept(left, calls) or ())
        rest = [i for i in range(left.x[0].numel()) if i not in kept]
        said = _returned(left, calls, left.x)
        claimed = torch.as_tensor(said.ldj, dtype=left.x.dtype)
        if claimed.dim() > 1:
            claimed = claimed.flatten(1).sum(1)
        claimed = (calls.sign * claimed).expand(len(left.x))
        return _Part(rest=left.x.flatten(1)[:, rest], claimed=claimed)


def _sum(parts: list[_Part]) -> Tensor | None:
    if not parts:
        return None
    return torch.stack([part.claimed.detach() for part in parts]).sum(0)


def _is_nothing(ldj: Any, start: Tensor | None) -> bool:
    if not isinstance(ldj, Tensor):
        return not ldj
    if start is None:
        return bool((ldj.abs() <= _SAME).all())
    return ldj.shape == start.shape and same(ldj, start)
