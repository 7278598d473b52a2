"""Recording one call and taking it apart into the steps of its map."""

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from ldjcheck.oracle.derivatives.jacobian import FEW, log_abs_det
from ldjcheck.oracle.structured import LARGE, step_of
from ldjcheck.records import Calls, Probe, Shape, Side
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Outcome, Runner
from ldjcheck.tape import Node, Step, Trace, ancestors, dependents, in_order, rerun
from ldjcheck.tape.node import chain, dominators
from ldjcheck.tape.recorder import Recorder
from ldjcheck.torch_ops import FACTORIES

_IDLE = 1e-12
# dims: a whole Jacobian takes as many products as a proof that it is diagonal
_FEWER = 3
_UNITS = 64  # of rounding, that chains of factors may differ by in another order
_FITS = 4e-7  # relative: an explanation holds to rounding, in every configuration
_CLEARLY = 1e-2  # of the mistake: what is off by less is the same number


class Watches(Protocol):
    """Sees what happens while a call is recorded."""

    def watching(self, recorder: Recorder) -> AbstractContextManager[object]:
        """Watch until the block is left."""


class UntraceableError(Exception):
    """An operation of the map cannot be run again by itself."""


def record(
    runner: Runner,
    probe: Probe,
    side: Side,
    watcher: Watches | None = None,
    *,
    doubled: bool = True,
    steps: bool = True,
    by_traces: bool = False,
    drawn: bool = True,
) -> Trace | None:
    """Return the trace of a call that was measured; None when its output is untraceable.

    The call is made again at the same input, with the same noise and rounding. A watcher
    sees which sublayers are called meanwhile. The steps' own numbers are taken in float64
    unless they are not `doubled`: not every operation of float32 takes both. Without
    `steps`, and of what was added up over parts, none are told: they are not what is asked.
    Steps that one statement takes again and again may count `by_traces`, as an integrator
    of first order does: tr(J - 1) stands for log|det J|. Where the density of noise is
    counted, to have `drawn` it is a step too; else the steps are those of the map alone.

    Raises:
        UntraceableError: a step of the map cannot be run again by itself.
    """
    if side.exact.ldj is None or side.said.ldj is None:
        return None
    frozen = Frozen(list(side.said.given))
    recorder, outcome = _recorded(runner, side, frozen, watcher)
    if frozen.draws or frozen.offsets:  # now it is known what is noise
        recorder, outcome = _recorded(runner, side, frozen, watcher)
    output = recorder.find(outcome.y)
    source: Node | None = recorder.nodes[0]
    if side.exact.wrt == "noise":
        source = _noise(recorder, frozen, side)
    ldj = recorder.find(outcome.raw)
    alone = replace(
        numbers_alone(runner.calls, probe, side), mapped=tuple(recorder.mapped)
    )
    if source is None or (output is None and ldj is None):
        return alone if recorder.mapped else None
    if ldj is None and isinstance(outcome.raw, Tensor):
        ldj = recorder.source(outcome.raw, "source")
    recorder.forget()
    # What a map is made of may be hidden, as by `vmap`, and what its ldj is may not be.
    order = [] if output is None else in_order(ancestors(output))
    depending = dependents(order, source)
    steps = steps and side.exact.method != "composition"
    points = _points(order, depending, source, output, side)
    traced = by_traces or side.exact.by_traces is not None
    taken = _steps(order, points, side, doubled=doubled, traced=traced) if steps else ()
    if drawn and taken and side.exact.density is not None:
        taken = _from_draw(source, order, taken, side)
    of_map = set(order)
    own = [
        node
        for node in in_order(ancestors(ldj))
        if node not in of_map and (node.function is not None or node.name in FACTORIES)
    ]
    return replace(
        alone,
        source=source,
        output=output,
        ldj=ldj,
        nodes=tuple(recorder.nodes),
        order=tuple(order),
        depending=frozenset(depending),
        points=points,
        steps=taken,
        own=tuple(own),
    )


def record_map(runner: Runner, probe: Probe, side: Side) -> Trace | None:
    """Return the trace of a call for its map alone, whether or not it reports an ldj.

    Raises:
        UntraceableError: a step of the map cannot be run again by itself.
    """
    none = torch.zeros(len(side.x), dtype=torch.float64)
    said = side.said if side.said.ldj is not None else replace(side.said, ldj=none)
    exact = side.exact if side.exact.ldj is not None else replace(side.exact, ldj=none)
    return record(runner, probe, replace(side, said=said, exact=exact), steps=False)


def _recorded(
    runner: Runner, side: Side, frozen: Frozen, watcher: Watches | None
) -> tuple[Recorder, Outcome]:
    """Return what one more call recorded, and what came of it."""
    recorder = Recorder(frozen.draws)
    manner = Manner(recorder=recorder, see_rounding=side.exact.rounding_seen)
    start = torch.zeros_like(runner.start(side.x)) if runner.calls.accumulates else None
    with watcher.watching(recorder) if watcher else contextlib.nullcontext():
        outcome = runner.run(side.direction, side.x, frozen, manner, start=start)
    return recorder, outcome


def numbers_alone(calls: Calls, probe: Probe, side: Side) -> Trace:
    """Return a trace of no operations: what a call said, and what is true of it.

    Laws about the whole ldj hold or not, wherever the operations are hidden.
    """
    reported, exact = side.numbers[0], side.exact.wanted
    assert exact is not None
    return Trace(
        probe=probe,
        direction=side.direction,
        batch=len(side.x),
        dims=side.dims,
        shape=side.event,
        source=Recorder([]).source(side.x, "input"),
        output=None,
        ldj=None,
        nodes=(),
        order=(),
        depending=frozenset(),
        points=(),
        steps=(),
        own=(),
        reported=reported,
        exact=exact,
        jacobian=side.exact.jacobian,
        shares=side.exact.shares
        if side.exact.structure in ("diagonal", "triangular")
        else None,
        sign=calls.sign,
        slack=side.exact.slack,
        tolerance=_tolerance(side),
        promised=_promised(calls, side),
    )


def _promised(calls: Calls, side: Side) -> Shape | None:
    """Return the shape over which the entries of an ldj are spread, and then summed.

    None where they are summed as they are: as a column, they are one number per sample.
    """
    way, shape = calls.way(side.direction), tuple(side.x.shape)
    if way is None or (way.spread and calls.accumulates):
        return None
    if way.spread:
        return shape
    if way.event_dim is None or side.said.ldj_shape in (shape[:1], (shape[0], 1)):
        return None
    return shape[: max(1, len(shape) - way.event_dim)]


def _tolerance(side: Side) -> Tensor:
    """Return how well numbers must agree, relative and by sample, to be called the same.

    Well enough that rounding does not matter, and much better than the reported ldj does
    where that is off: an epsilon in a logarithm may shift it by 1e-8 only. A sample whose
    numbers are large or cancel is known less well than others are.
    """
    if side.said.ldj is None or side.exact.ldj is None or side.exact.allowed is None:
        return torch.tensor(_FITS, dtype=torch.float64)
    size = 1.0 + side.exact.ldj.abs()
    gap = (side.said.ldj - side.exact.ldj).abs() / size
    rounding = side.exact.allowed / size
    clearly = _CLEARLY * torch.where(gap > rounding, gap, torch.inf)
    strictest = clearly.amin().clamp(max=_FITS)
    return torch.minimum(rounding, clearly).clamp(max=_FITS).maximum(strictest)


def _noise(recorder: Recorder, frozen: Frozen, side: Side) -> Node | None:
    for draw in frozen.draws:
        if draw.is_floating_point() and draw.numel() == side.y.numel():
            return recorder.find(draw)
    return None


def _points(
    order: list[Node],
    depending: set[Node],
    source: Node,
    output: Node | None,
    side: Side,
) -> tuple[Node, ...]:
    """Return the values that every path from source to output goes through.

    They are the dominators of the output in the graph of differentiable dependence that
    have one entry per dim.
    """
    if output is None or output not in depending:
        return ()
    batch, entries = len(side.x), len(side.x) * side.dims
    found = [
        node
        for node in chain(output, dominators(order, depending, source))
        if node.value.dim()
        and len(node.value) == batch
        and node.value.numel() == entries
        and not node.value.is_complex()  # which has twice as many
    ]
    return tuple(reversed(found))


def _steps(
    order: list[Node],
    points: tuple[Node, ...],
    side: Side,
    *,
    doubled: bool,
    traced: bool,
) -> tuple[Step, ...]:
    batch, dims = len(side.x), side.dims
    taken = Counter(point.place and point.place.span for point in points)
    by_structure = dims >= LARGE or (dims > FEW and side.exact.jacobian is None)
    steps = []
    for begin, end in itertools.pairwise(points):
        between = [node for node in order if begin.index < node.index <= end.index]
        depending = dependents(between, begin)
        if by_structure:
            steps.append(_step_by_structure(between, depending, begin, end, batch))
            continue
        y = end.value.detach().reshape(batch, -1)
        replayed = _replayed(between, depending, begin, end, batch)
        slopes = _slopes_of(replayed, _point(begin, doubled=doubled))
        if slopes is not None and not traced:
            size = slopes.abs()
            idle = (slopes - 1).abs().amax(0) < _IDLE
            steps.append(Step(end, size.log().sum(1), idle, _furthest(y, size)))
            continue
        jacobian = jacobian_between(
            between, depending, begin, end, batch, doubled=doubled
        )
        eye = torch.eye(dims, dtype=jacobian.dtype)
        idle = (jacobian - eye).abs().amax(dim=(0, 2)) < _IDLE
        blur = _furthest(y, jacobian.abs().amax(dim=2))
        if traced and end.place is not None and taken[end.place.span] > 1:
            logdet = (jacobian - eye).diagonal(dim1=1, dim2=2).sum(1)
        else:
            logdet = log_abs_det(jacobian)[1]
        steps.append(Step(end, logdet, idle, blur))
    return tuple(steps)


def _from_draw(
    source: Node, order: list[Node], steps: tuple[Step, ...], side: Side
) -> tuple[Step, ...]:
    """Return the steps of noise whose density is reported: to draw it is the first of them.

    It is worth minus the log-density of what was drawn, and stands where that is used
    first. Of log q, each step counts the other way.
    """
    density, none = side.exact.density, torch.zeros(len(side.x), dtype=torch.float64)
    assert density is not None
    used = next((node for node in order if source in node.parents), source)
    draw = Node("draw", source.value, source.index, places=used.places, random=True)
    drawn = Step(draw, -density, torch.ones(side.dims, dtype=torch.bool), none)
    turned = side.exact.turned
    return tuple(replace(s, logdet=turned * s.logdet) for s in (drawn, *steps))


def _step_by_structure(
    between: list[Node], depending: set[Node], begin: Node, end: Node, batch: int
) -> Step:
    """Return a step of many dims; idle are dims that come out as they went in.

    How far it blurs its input is not known without its whole Jacobian.
    """
    at = begin.value.detach().clone().double()

    def step(value: Tensor) -> Tensor:
        return rerun(between, depending, begin, value.reshape(begin.value.shape), end)

    logdet = step_of(step, at)
    if logdet is None:
        raise UntraceableError
    same = (end.value.detach().reshape(batch, -1) == at.reshape(batch, -1)).all(0)
    return Step(end, logdet, same, torch.zeros(batch, dtype=torch.float64))


def _furthest(y: Tensor, slopes: Tensor) -> Tensor:
    """Return the largest |y_i| / max_k |J_ik| of each sample, `(batch,)`."""
    return (y.abs() / slopes).nan_to_num(0.0).amax(dim=1)


def _slopes_of(step: Callable[[Tensor], Tensor], at: Tensor) -> Tensor | None:
    """Return dy_i/dx_i of a step that works entry by entry, `(batch, dims)`, as most do.

    Of a diagonal Jacobian they are the sums of its columns, and those of its rows by any
    weights are these by the weights; of others they are not, but by chance. None then.
    """
    dims, at = at[0].numel(), at.requires_grad_()
    if dims <= _FEWER:
        return None
    generator = torch.Generator().manual_seed(0)
    weights = 1 + torch.rand(dims, dtype=torch.float64, generator=generator)
    try:
        with torch.enable_grad():
            y = step(at)
        rows = (torch.ones_like(y), weights.expand_as(y).to(y))
        plain, weighted = (
            torch.autograd.grad(y, at, row, retain_graph=True)[0].flatten(1).double()
            for row in rows
        )
    except Exception:  # the user's own operations may raise anything
        return None
    off, slack = (weighted - weights * plain).abs(), _UNITS * torch.finfo(at.dtype).eps
    return plain if bool((off <= slack * plain.abs()).all()) else None


def _replayed(
    between: list[Node], depending: set[Node], begin: Node, end: Node, batch: int
) -> Callable[[Tensor], Tensor]:
    """Return a step as a function of the value that it begins with, its own flat."""

    def step(value: Tensor) -> Tensor:
        at = value.reshape(begin.value.shape)
        return rerun(between, depending, begin, at, end).reshape(batch, -1)

    return step


def _point(begin: Node, *, doubled: bool) -> Tensor:
    """Return the value that a step begins with, of its own: its numbers may be doubled."""
    at = begin.value.detach().clone()
    return at.double() if doubled or not at.is_floating_point() else at


def jacobian_between(
    between: list[Node],
    depending: set[Node],
    begin: Node,
    end: Node,
    batch: int,
    *,
    doubled: bool,
) -> Tensor:
    """Return the step's Jacobian, `(batch, dims, dims)`, by replaying its operations.

    What is not among those `depending` stays as it was recorded.

    Raises:
        UntraceableError: its operations cannot be run again.
    """
    step = _replayed(between, depending, begin, end, batch)
    at = _point(begin, doubled=doubled)
    many = at[0].numel() > FEW
    for vectorize in (many, False):  # vmap does not go through custom backwards
        try:
            rows = torch.autograd.functional.jacobian(
                lambda value: step(value).sum(0), at, vectorize=vectorize
            )
        except Exception:  # the user's own operations may raise anything
            continue
        by_sample: Tensor = rows.reshape(len(rows), batch, -1).transpose(0, 1)
        return by_sample.double()
    raise UntraceableError
