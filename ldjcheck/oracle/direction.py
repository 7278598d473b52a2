"""One direction at one input: what it reports, what is true, or why that is unknown."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ldjcheck.errors import NoBaseError
from ldjcheck.numerics.tolerance import DIFFERENCED, again, lost_below
from ldjcheck.oracle import structure
from ldjcheck.oracle.derivatives.autograd import Truth, truth_of
from ldjcheck.oracle.derivatives.jacobian import NoJacobianError, log_abs_det
from ldjcheck.oracle.error_model import Value, known_in_float32
from ldjcheck.oracle.question import Call, with_value
from ldjcheck.oracle.structured import by_structure
from ldjcheck.records import Direction, Options, Side, Sides
from ldjcheck.records.called import Behaviour, Coupling
from ldjcheck.records.side import CallResult, Exact
from ldjcheck.running.behaviour import accumulation_of, behaviour_of, own_part
from ldjcheck.running.bench import Bench
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import LayerRaisedError, UnexpectedReturnError
from ldjcheck.running.guard import Frozen
from ldjcheck.running.observers.side_effects import Watch
from ldjcheck.running.runner import Runner

_LONG = 5000  # operations of a way back that goes dim by dim: one call takes seconds


def measure_direction(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    options: Options,
    *,
    behaviour: bool = True,
    there: Tensor | None = None,
    apart: bool = False,
    solves: bool = False,
    noise: Frozen | None = None,
) -> Side:
    """Return reported and exact ldj of one direction at inputs `(batch, *event)`.

    Without `behaviour` only the two numbers are wanted, not what the call does besides;
    samples may be known to be `apart` then. With `there`, the Jacobian of the map that this
    one undoes, `(batch, dims, dims)`, a map that has no derivative of its own is left
    unanchored; where it is known that it only `solves`, nothing exact is asked of it. The
    `noise` that it draws may be given.

    Raises:
        LayerRaisedError, UnexpectedReturnError: from running the layer.
    """
    frozen = Frozen() if noise is None else noise
    given = tuple(frozen.draws)
    watch = Watch()
    base = runner.run(direction, x, frozen, Manner(writes=watch))
    doubled = x.dtype == torch.float64 or not x.is_floating_point()
    dtype = base.coarse or ("float64" if doubled else "float32")
    reported = None if base.reported is None else base.reported.detach().double().cpu()
    measured = Side(
        direction=direction,
        said=CallResult(
            x=x.detach(),
            y=base.y.detach(),
            dtype=dtype,
            ldj=reported,
            form=base.form,
            ldj_shape=tuple(getattr(base.raw, "shape", ())),
            given=given,
            **base.facts(),
        ),
    )
    if direction == "inverse" and base.operations > _LONG:
        behaviour = False  # nor is anything concluded from it
    if behaviour:
        seen = behaviour_of(runner, direction, x, frozen, base, watch, dtype)
        measured = replace(measured, behaviour=seen)
    if reported is not None and runner.calls.accumulates:
        kept = accumulation_of(runner, direction, x, frozen, base)
        reported = own_part(reported, runner, x, kept)
        seen = replace(measured.behaviour, accumulation=kept)
        measured = replace(
            measured, behaviour=seen, said=replace(measured.said, ldj=reported)
        )
    if not base.y.dim() or len(base.y) != len(x):
        return measured
    said = None if base.shares is None else base.shares.detach().double()
    if solves:
        return replace(measured, said=replace(measured.said, shares=said))
    apart = apart or (behaviour and _are_apart(measured.behaviour))
    call = Call(runner=runner, side=measured, frozen=frozen, base=base, options=options)
    known = by_structure(call)
    if known is None:
        known = _by_jacobian(call, there, apart=apart)
    if known.exact.ldj is None or known.said.estimated:
        return known
    return replace(known, said=replace(known.said, shares=said))


def _by_jacobian(call: Call, there: Tensor | None, *, apart: bool) -> Side:
    """Return what the whole Jacobian tells of one call."""
    side, base = call.side, call.base
    dtype = side.said.dtype
    truth = truth_of(call.map, base, call.options.wrt, dtype, there, apart=apart)
    jacobian = truth.jacobian.double().cpu()
    side = replace(
        side,
        behaviour=_with_coupling(side.behaviour, truth),
        exact=replace(
            side.exact,
            wrt="input" if truth.map.noise is None else "noise",
            jacobian=jacobian,
            method=truth.method,
            anchored=truth.anchored,
            rounding_seen=truth.map.manner.see_rounding,
            detach_seen=truth.map.manner.see_detach,
        ),
    )
    if jacobian.shape[1] != jacobian.shape[2] or not torch.isfinite(jacobian).all():
        return side
    least = lost_below(jacobian.shape[1], dtype)
    if truth.method == "differences":
        least = max(least, DIFFERENCED[dtype])
    exact = log_abs_det(jacobian, least)[1]
    lost = exact == -math.inf
    if truth.lost is not None:
        exact = exact.masked_fill(truth.lost, math.nan)
    name, pivots = structure.describe_structure(jacobian)
    condition = [structure.condition(one[None], pivots) for one in jacobian]
    known = known_in_float32(truth, condition, dtype, single=base.single)
    if known is not None:
        lost = lost | known.lost
    side = replace(
        side,
        exact=replace(
            side.exact, lost=lost, open=None if known is None else known.open
        ),
    )
    value = Value(
        map=truth.map,
        ldj=exact,
        parts=structure.shares(jacobian, pivots),
        condition=condition,
        difference_near=partial(_difference_near, truth),
        error=truth.error,
        by_differences=truth.method == "differences",
    )
    return with_value(call, side, value, name)


def _difference_near(truth: Truth, at: Tensor) -> Tensor | None:
    """Return reported less exact at another point, by its whole Jacobian."""
    map_ = replace(truth.map, apart=True) if truth.coupling == 0.0 else truth.map
    try:
        there = map_.outcome(at).reported
        jacobian, _, _ = map_.jacobian(at)
    except (LayerRaisedError, NoJacobianError):
        return None
    if there is None:
        return None
    return there.detach().double() - log_abs_det(jacobian.double())[1]


def are_all_apart(measured: Sequence[Sides]) -> bool:
    """Return whether samples were kept apart at all of some configurations."""
    known = [side for each in measured for side in each.answered]
    return bool(known) and all(_are_apart(side.behaviour) for side in known)


def _are_apart(seen: Behaviour) -> bool:
    """Return whether companions were seen to change nothing of a sample's answers."""
    return seen.coupling is None and seen.unrepeatable is None and seen.state is None


def _with_coupling(seen: Behaviour, truth: Truth) -> Behaviour:
    """Return the behaviour with the entries of J between samples counted in.

    What rounding leaves where companions cancel is none.
    """
    known = seen.coupling or Coupling(output=0.0, ldj=0.0)
    coupling, entries = truth.coupling or 0.0, truth.jacobian
    size = float(entries.abs().nan_to_num(0.0).max()) if entries.numel() else 0.0
    if coupling <= max(known.output, again(entries) * (1.0 + size)):
        return seen
    return replace(seen, coupling=replace(known, output=coupling))


# --- a side, or why there is none -----------------------------------------------------


def measured_side(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    bench: Bench,
    there: Tensor | None = None,
    *,
    said_alone: bool = False,
    noise: Frozen | None = None,
) -> Side:
    """Return both numbers of one direction at inputs `(batch, *event)`; nothing raises.

    With `there`, the Jacobian of the map that this one undoes, a map that has no derivative
    of its own is left unanchored. What is exact is not asked of what is `said_alone`. The
    `noise` that it draws may be given.
    """
    try:
        return measure_direction(
            runner,
            direction,
            x,
            bench.options,
            behaviour=bench.behaviour,
            there=there,
            apart=bench.apart,
            solves=said_alone or (bench.solves and there is not None),
            noise=noise,
        )
    except LayerRaisedError as error:
        if isinstance(error.error, NoBaseError):
            unseen = f"TypeError: {error.error}"
            return Side.absent(direction, unseen, (unseen,))
        raised = () if error.means_absent else error.lines
        return Side.absent(direction, str(error), raised)
    except UnexpectedReturnError as error:
        if error.is_unwritten and direction == "inverse":
            return Side.absent(direction, "it is not written yet: it returns None")
        return Side.absent(direction, str(error), (f"returned {error}",))


def judged_by(side: Side, other: Exact, allowed: Tensor | None) -> Exact:
    """Return what is true of a direction: minus what is of the other at the same point."""
    assert other.ldj is not None
    return replace(
        side.exact,
        ldj=-other.ldj,
        allowed=allowed,
        jacobian=None,
        shares=None if other.shares is None else -other.shares,
        structure=other.structure,
        method="preimage",
    )


def is_minus(side: Side, other: Side) -> bool:
    """Return whether what a direction reports is minus what is true of the other."""
    exact, allowed = other.exact, side.exact.allowed
    if side.said.ldj is None or allowed is None or exact.ldj is None:
        return False
    if exact.allowed is None or not exact.anchored:
        return False
    off = (side.said.ldj + exact.ldj).abs()
    return bool((off <= allowed + exact.allowed).all())


_ROOM = 1.01  # times what was seen


def left_open(side: Side, nats: float, by_traces: Tensor | None = None) -> Side:
    """Return a direction whose numbers something leaves open by so many nats more.

    Or of whose steps it is known what a right report comes to, `by_traces`.
    """
    slack = side.exact.slack + nats
    return replace(side, exact=replace(side.exact, slack=slack, by_traces=by_traces))


def approximated(side: Side, *, exactly: bool = False) -> Side:
    """Return a direction with all that it is off by allowed, as a value and as a way back.

    Where its ldj is to hold `exactly`, that is of the way back alone.
    """
    difference, exact, trip = side.difference, side.exact, side.round_trip
    if (
        not exactly
        and side.disagrees
        and difference is not None
        and exact.allowed is not None
    ):
        allowed = torch.maximum(exact.allowed, _ROOM * difference.abs())
        exact = replace(exact, allowed=allowed, approximate=True)
    if trip.misses and trip.off is not None and trip.off != math.inf:
        trip = replace(trip, allowed=_ROOM * trip.off, nears=True)
        exact = replace(exact, approximate=True)
    return replace(side, exact=exact, round_trip=trip)
