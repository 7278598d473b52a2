"""The layer as written, in float32: it must say what it says when promoted to float64.

Everything else is measured on the promoted layer. Where code tells dtypes apart, or does
what promotion cannot follow, that would be another layer than the user's.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ldjcheck.experiments import Experiment
from ldjcheck.numerics.closeness import same
from ldjcheck.numerics.numerical_rank import condition
from ldjcheck.numerics.tolerance import CLEARLY, MACHINE_EPSILON, SQUEEZES
from ldjcheck.object_graph import paths, tensors
from ldjcheck.records import Direction, Evidence, Side
from ldjcheck.records.called import Behaviour
from ldjcheck.records.observed import Noticed, Observation
from ldjcheck.running.bench import Bench
from ldjcheck.running.call_mode import PLAIN, Manner
from ldjcheck.running.failed_calls import FailedCallError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Runner
from ldjcheck.running.snapshot.isolation import learnable

_LOSES_ALL = 1e-8  # nats allowed in float64: times 2**29 it is more than any ldj
_PATIENCE = 10  # times the operations that the same call took in float64
_HELD = 87.0  # nats: exp(-87.3) is the smallest number that float32 holds in full
_AGAIN = 1e-5  # relative: a call that is made again, in float32
_DRAWS = 3  # of rounding errors: each sees a fraction of how far they can go
_NOTICED = 1e-2  # nats that float32 may move the ldj by before users want to know


def _run(bench: Bench, so_far: Evidence) -> Iterator[Observation]:
    """Yield a fault for each direction that says otherwise as it is written."""
    if not bench.promote or any(
        p.dtype != torch.float32 for p in learnable(bench.layer.obj)
    ):
        return
    probe = so_far.probes[0]
    promoted, _, _ = bench.ready(probe)
    written, _, _ = replace(bench, promote=False).ready(probe)
    _hand_over(promoted.layer, written.layer)
    for side in so_far.sides[0].answered:
        behaviour = _compared(promoted, written, side)
        if behaviour is not None:
            yield Noticed(direction=side.direction, behaviour=behaviour)


def _compared(promoted: Runner, written: Runner, side: Side) -> Behaviour | None:
    """Return the behaviour of a direction, where the layer says otherwise in float32."""
    if not side.exact.anchored:
        return None  # absent, or erratic: rounding alone may then change all
    if side.exact.allowed is None:
        return None
    # What float64 cannot tell, float32 has lost altogether.
    lossy = float(side.exact.allowed.max()) > _LOSES_ALL
    if lossy and not _mixes_and_squeezes(side):
        return None
    direction, x, seen = side.direction, side.x, side.behaviour
    frozen = Frozen()  # the same noise for both
    there, steps = _reported(promoted, direction, x, frozen)
    patient = Manner(patience=_PATIENCE * (1000 + steps))
    same_x = x.float() if x.is_floating_point() else x
    here, _ = _reported(written, direction, same_x, frozen, patient)
    if there is None or here is None or here.shape != there.shape:
        return None
    off = (here - there).abs()
    if lossy:
        open_ = off.nan_to_num(torch.inf)
        return replace(seen, moves=tuple(open_.tolist()))
    overflowed = torch.isfinite(there) & ~torch.isfinite(here) & ~_too_small(side)
    unit = MACHINE_EPSILON["float32"] * side.dims
    far = torch.isfinite(here) & (off > CLEARLY * unit * (1.0 + there.abs()))
    scattered = torch.zeros_like(off)
    if far.any():
        scattered = _scattered(promoted, direction, same_x, frozen, there, patient)
    slack = CLEARLY * (scattered + unit * (1.0 + there.abs()))
    # Few draws bound rounding loosely; of what is of no consequence more is asked.
    apart = far & (off > torch.where(off > _NOTICED, slack, CLEARLY * slack))
    if not (apart | overflowed).any():
        coarse = float(scattered.max()) > _NOTICED and bool(far.any())
        if coarse:
            seen = replace(seen, scatters=float(off[torch.isfinite(off)].max()))
        fault = None
        if not frozen.draws:
            fault = _only_watched(written, direction, same_x, frozen, here)
        if fault is not None:
            seen = replace(seen, faults=(*seen.faults, fault))
        return seen if coarse or fault is not None else None
    worst = int(
        torch.where(apart | overflowed, off.nan_to_num(nan=torch.inf), 0.0).argmax()
    )
    fault = (
        f"run as written, in float32, the layer reports {float(here[worst]):+.6g} for "
        f"sample {worst}, and {float(there[worst]):+.6g} in float64"
    )
    if not apart.any():
        return replace(seen, overflows=fault)
    more = f"; rounding explains {float(scattered[worst]):.1g}"
    return replace(seen, faults=(*seen.faults, fault + more))


def _scattered(
    promoted: Runner,
    direction: Direction,
    x: Tensor,
    frozen: Frozen,
    there: Tensor,
    patient: Manner,
) -> Tensor:
    """Return how far what is reported scatters where all is rounded, `(batch,)` in nats.

    The layer runs in float64, and each result is off by what float32 may round it by: code
    that does the same in float32 is off by as much, however far the map takes it. By
    any amount, where what is `patient` does not see it end: a solver may wait for digits.
    """
    generator = torch.Generator().manual_seed(promoted.seed)
    x = x.double() if x.is_floating_point() else x
    most = torch.zeros_like(there)
    for _ in range(_DRAWS):
        manner = replace(patient, rounding=generator)
        near, _ = _reported(promoted, direction, x, frozen, manner)
        if near is None or near.shape != there.shape:
            return torch.full_like(there, torch.inf)
        most = torch.maximum(most, (near - there).abs().nan_to_num(torch.inf))
    return most


def _mixes_and_squeezes(side: Side) -> bool:
    """Return whether dims are mixed by what may be singular in float32."""
    jacobian = side.exact.jacobian
    if jacobian is None or side.exact.structure in ("diagonal", "triangular"):
        return False
    return all(condition(matrix) > SQUEEZES for matrix in jacobian)


def _only_watched(
    written: Runner, direction: Direction, x: Tensor, frozen: Frozen, here: Tensor
) -> str | None:
    """Return what to say of a layer that reports something else where nothing looks on."""
    plain = written.unwatched(direction, x)
    if plain is None or plain.shape != here.shape:
        return None
    plain = plain.detach().double()
    off = (plain - here).abs().nan_to_num(nan=0.0)
    far = (off > CLEARLY * _AGAIN * (1.0 + here.abs())) & torch.isfinite(plain)
    if not far.any():
        return None
    again, _ = _reported(written, direction, x, frozen)
    if again is None or not same(again, here, _AGAIN):
        return None
    worst = int(off.argmax())
    return (
        f"called plainly, the layer reports {float(plain[worst]):+.6g} for sample "
        f"{worst}, and {float(here[worst]):+.6g} where its operations are watched"
    )


def _hand_over(promoted: Any, written: Any) -> None:
    """Give one copy the numbers of the other: noise of a first call depends on the dtype.

    A layer that initialises itself from it would otherwise be two.
    """
    there, here = _by_place(promoted), _by_place(written)
    pairs = [(there[place], here[place]) for place in there if place in here]
    if promoted is written or any(a.shape != b.shape for a, b in pairs):
        return
    with torch.no_grad():
        for known, tensor in pairs:
            if not tensor.is_floating_point():
                continue
            if 0 in tensor.stride():  # expanded: its entries are one number in memory
                tensor.data = known.data.to(tensor.dtype)
            else:
                tensor.data.copy_(known.data)


def _by_place(layer: Any) -> dict[str | int, Tensor]:
    """Return the tensors of a layer by how they are written, or else by their order.

    One copy may hold more than the other: what a property makes when it is first asked.
    """
    where, held = paths(layer), tensors(layer)
    return {where.get(id(each), place): each for place, each in enumerate(held)}


def _too_small(side: Side) -> Tensor:
    """Return of which samples a factor of the volume is beyond what float32 holds at all.

    Its logarithm is infinite there, whatever the code does to take it. The factor is that
    of a row or a column where dims are mixed after it or before it. Where neither is known,
    as of a flow that was added up over its parts, it may be so.
    """
    unknown = side.exact.shares is None and side.exact.jacobian is None
    beyond = torch.full((len(side.x),), unknown)
    if side.exact.shares is not None:
        beyond |= (side.exact.shares.reshape(len(side.x), -1).abs() > _HELD).any(dim=1)
    if side.exact.jacobian is not None and side.exact.jacobian.numel():
        for axis in (1, 2):
            sizes = side.exact.jacobian.abs().amax(dim=axis).log()
            beyond |= (sizes.abs() > _HELD).any(dim=1)
    return beyond


def _reported(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    frozen: Frozen,
    manner: Manner = PLAIN,
) -> tuple[Tensor | None, int]:
    """Return what the layer reports, as float64, and in how many operations.

    None when it does not run so: a solver may wait for a precision that float32 has not.
    """
    try:
        outcome = runner.run(direction, x, frozen, manner)
    except FailedCallError:
        return None, 0
    reported = outcome.reported
    known = None if reported is None else reported.detach().double().cpu()
    return known, outcome.operations


EXPERIMENT = Experiment(name="float32-parity", run=_run)
