"""How a call behaves: what it changes, whether it repeats, adds up, and keeps samples apart."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from ldjcheck.numerics.closeness import same
from ldjcheck.numerics.tolerance import SOLVER_RESIDUAL, is_once_more
from ldjcheck.records import Direction, Location
from ldjcheck.records.called import (
    Accumulation,
    Behaviour,
    Cast,
    Coupling,
    Mutation,
    Stale,
    StaleFrom,
    StateChange,
    Unrepeatable,
)
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import LayerRaisedError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.side_effects import Watch
from ldjcheck.running.runner import Outcome, Runner, is_single
from ldjcheck.running.snapshot.isolation import unharmed
from ldjcheck.running.snapshot.state import changed, state_of, tensors_by_name

SAME = {"float64": 1e-9, "float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}
"""Relative: a repeated call differs by nothing."""
VISIBLE = 1e-4
"""Relative: a solver that starts where it ended last time is off by less."""

# units in the last place: a long total keeps few digits of what is added
_ROUNDED = 16.0
_MORE = 2.5  # nats that are added to what comes in, and a little more each sample


def behaviour_of(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    frozen: Frozen,
    base: Outcome,
    watch: Watch,
    dtype: str,
) -> Behaviour:
    """Return what was noticed about one call, `base`, and a few more like it."""
    shape = tuple(base.y.shape)
    fault = f"{len(x)} samples went in and an output of shape {shape} came out"
    cast = watch.cast
    if cast is None and is_single(base.raw):
        cast = Cast(dtype=str(base.raw.dtype))
    other = changes_between_calls(runner, direction, x, frozen, base, dtype)
    repeats = other is None
    coupling = coupling_of(runner, direction, x, frozen, base) if repeats else None
    return Behaviour(
        input_changed=_mutation(base.x_change, "input", watch, refused=base.eager),
        incoming_changed=_mutation(base.start_change, "incoming", watch),
        cast=cast,
        coupling=coupling,
        unrepeatable=other if isinstance(other, Unrepeatable) else None,
        state=other if isinstance(other, StateChange) else None,
        stale=other if isinstance(other, Stale) else None,
        faults=() if shape[:1] == (len(x),) else (fault,),
    )


def changes_between_calls(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    frozen: Frozen,
    base: Outcome,
    dtype: str,
) -> Unrepeatable | StateChange | Stale | None:
    """Return how the same call differs, and whether it is by what the layer holds.

    An ldj that is that of the call before settles when one call is repeated.
    """
    again = runner.run(direction, x, frozen)
    output = not same(base.y, again.y, SAME[dtype])
    if not output and same(base.reported, again.reported, SAME[dtype]):
        return None
    change = difference(base.y, again.y)
    if not output:
        change = difference(base.reported, again.reported)
    watch = Watch(remember=True)
    runner.run(direction, x.flip(0), frozen, Manner(writes=watch))
    watch.also(tensors_by_name(runner.layer))
    before = state_of(runner.layer)
    first = runner.run(direction, x, frozen, Manner(writes=watch))
    after, kept = state_of(runner.layer), watch.kept(first.raw)
    names = changed(before, after)
    second, third = (runner.run(direction, x, frozen) for _ in range(2))
    a, b = first.reported, second.reported
    settles = same(b, third.reported, SAME[dtype])
    if not output and names and settles and a is not None and b is not None:
        return stale_by(a, b, of="earlier call", location=kept)
    if names:
        if _is_residual(first, second, third):
            return None
        place = next((p for name in names if (p := watch.written(name))), None)
        learned = bool(changed(before, after, ("learned",)))
        return StateChange(
            names=names, every_call=True, learned=learned, change=change, location=place
        )
    what: Literal["output", "ldj"] = "output" if output else "ldj"
    return Unrepeatable(what=what, change=change, reseeded=False)


def stale_by(
    got: Tensor,
    fresh: Tensor,
    *,
    of: StaleFrom,
    location: Location | None,
    output: bool = False,
) -> Stale:
    """Return what is stale of an answer, by the entry that differs most from a fresh one."""
    a, b = got.detach().reshape(-1), fresh.detach().reshape(-1)
    worst = int((a - b).abs().nan_to_num(nan=0.0).argmax())
    return Stale(
        of=of, output=output, got=float(a[worst]), fresh=float(b[worst]), location=location
    )  # fmt: skip


def stale_ldj(
    got: Outcome,
    fresh: Outcome,
    dtype: str,
    *,
    of: StaleFrom,
    location: Location | None,
) -> Stale | None:
    """Return what is stale of an ldj, where outputs agree and it does not; else None."""
    a, b = got.reported, fresh.reported
    if a is None or b is None or not same(got.y, fresh.y, 100.0 * SAME[dtype]):
        return None
    return None if same(a, b, VISIBLE) else stale_by(a, b, of=of, location=location)


def _is_residual(*outcomes: Outcome) -> bool:
    """Return whether repeated answers are one, up to what a solver leaves open.

    One that starts where it ended the last time ends a little elsewhere each time.
    """
    first = outcomes[0]
    return all(
        same(first.y, other.y, SOLVER_RESIDUAL)
        and same(first.reported, other.reported, SOLVER_RESIDUAL)
        for other in outcomes
    )


def difference(a: Tensor | None, b: Tensor | None) -> float:
    """Return the largest difference of two answers; infinite where shapes differ."""
    if a is None or b is None or a.shape != b.shape:
        return float("inf")
    return _change(a, b)


def own_part(
    reported: Tensor, runner: Runner, x: Tensor, accumulation: Accumulation | None
) -> Tensor:
    """Return what the layer itself adds to the total, where that can be told.

    It adds to a share of what comes in; the total less that share is its own part.
    """
    if accumulation is None or accumulation.share is None:
        return reported
    lost = (1.0 - accumulation.share) * runner.start(x).reshape(reported.shape)
    return reported + runner.calls.sign * lost


def _mutation(
    change: float, name: str, watch: Watch, *, refused: bool = False
) -> Mutation | None:
    if not change:
        return None
    return Mutation(change=change, location=watch.written(name), refused=refused)


def accumulation_of(
    runner: Runner, direction: Direction, x: Tensor, frozen: Frozen, base: Outcome
) -> Accumulation | None:
    """Return what becomes of more that goes in; None where it comes back as promised."""
    if not runner.calls.accumulates or base.reported is None:
        return None
    start = runner.start(x)
    more = _MORE + 0.5 * torch.arange(len(x), dtype=torch.float64)
    larger = start + more.to(start).reshape(start.shape)
    moved = runner.run(direction, x, frozen, start=larger)
    kept = _kept_of(more, base, moved, runner.calls.sign)
    if kept is None:
        return None
    watch = Watch(remember=True)
    with unharmed(runner.layer):  # a layer that is another one by now says nothing
        base = runner.run(direction, x, frozen, Manner(writes=watch), start=start)
    location = watch.made(base.raw)
    with unharmed(runner.layer):
        moved = runner.run(direction, x, frozen, start=larger)
    kept = _kept_of(more, base, moved, runner.calls.sign)
    return None if kept is None else replace(kept, location=location)


def _kept_of(
    more: Tensor, base: Outcome, moved: Outcome, sign: int
) -> Accumulation | None:
    """Return what became of `more`, `(batch,)`; None where all of it came back."""
    if base.reported is None or moved.reported is None:
        return None
    change = sign * (moved.reported - base.reported).detach().double()
    out = change.cpu() + more
    size = base.reported.detach().abs() + moved.reported.detach().abs()
    if base.taken is not None:  # it was in the total, and has cost its digits
        size = size + 2 * base.taken.to(size).abs()
    rounding = _ROUNDED * torch.finfo(size.dtype).eps * size.double().cpu()
    known = torch.isfinite(out)
    off = (out - more).abs() > 1e-6 * (1.0 + more) + rounding
    if not (off & known).any():
        return None
    shares = out[known] / more[known]
    alike = bool((shares - shares[0]).abs().max() < 1e-6)
    return Accumulation(
        into=_MORE,
        out=float(shares[0]) * _MORE,
        share=round(float(shares[0]), 9) if alike else None,
    )


def coupling_of(
    runner: Runner, direction: Direction, x: Tensor, frozen: Frozen, base: Outcome
) -> Coupling | None:
    """Return how far a sample's output, and its ldj, move when only its companions change.

    The first and the last sample are kept in turn, the others are replaced by copies of
    their neighbours, which are points of the domain too. A companion that decides alone, as
    a largest one does, may be there both times: then the first is left with itself.
    """
    if len(x) < 2 or not base.y.dim() or len(base.y) != len(x):
        return None
    of_output = of_ldj = 0.0
    kept_and_others = (
        (0, torch.cat([x[:1], x[:-1]])),
        (-1, torch.cat([x[1:], x[-1:]])),
    )
    for kept, others in kept_and_others:
        moved = runner.run(direction, others, frozen)
        if moved.y.shape != base.y.shape:
            return Coupling(output=float("inf"), ldj=0.0)
        of_output = max(of_output, _change(base.y[kept], moved.y[kept]))
        if base.reported is not None and moved.reported is not None:
            of_ldj = max(of_ldj, _change(base.reported[kept], moved.reported[kept]))
    if not of_output and not of_ldj:
        return _among_itself(runner, direction, x, frozen, base)
    return Coupling(output=of_output, ldj=of_ldj)


def _among_itself(
    runner: Runner, direction: Direction, x: Tensor, frozen: Frozen, base: Outcome
) -> Coupling | None:
    """Return how far the first sample's answers move where all samples are that one."""
    try:
        alone = runner.run(direction, x[:1].expand_as(x).clone(), frozen)
    except LayerRaisedError:
        return None  # samples that are all alike may be no batch for this layer
    if alone.y.shape != base.y.shape:
        return None
    of_output, of_ldj = _change(base.y[0], alone.y[0]), 0.0
    if base.reported is not None and alone.reported is not None:
        of_ldj = _change(base.reported[0], alone.reported[0])
    return Coupling(output=of_output, ldj=of_ldj) if of_output or of_ldj else None


def _change(before: Tensor, after: Tensor) -> float:
    """Return the largest change of an entry; 0 where the same call may make it."""
    if is_once_more(before, after):
        return 0.0
    change = (before - after).detach().double().abs()
    change = change[torch.isfinite(change)]
    return float(change.max()) if change.numel() else 0.0
