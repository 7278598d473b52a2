"""What a layer does at a glance, there and back, that tells where its inputs live."""

from contextlib import suppress
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from ldjcheck.calling.domains import TAMEST, bounded_guesses
from ldjcheck.numerics.tolerance import is_once_more
from ldjcheck.oracle.derivatives.autograd import FrozenMap
from ldjcheck.oracle.derivatives.jacobian import NoJacobianError, log_abs_det
from ldjcheck.oracle.way_back.round_trip import has_one_image, period_of
from ldjcheck.records import Direction, Domain
from ldjcheck.records.words import Region
from ldjcheck.running.bench import Bench
from ldjcheck.running.failed_calls import FailedCallError, LayerRaisedError, on_failure
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Outcome, Runner
from ldjcheck.running.snapshot.isolation import set_mode

_KEPT = 1e-3  # nats: a layer that stretches does so by more, its parameters moved
_NEAR_END = 1e-4  # of a domain
_STEEP = 100.0  # a slope there that nothing but an end explains
_FAR = 100.0  # times: there, a way back clips at its last level
_AT_AN_END = 1e-5  # relative: by so much less a clamp may hold what comes to an end
_SAME = 1e-8  # relative: what rounding does to a sample whose companions change


@on_failure(())
def drawn_into_output(bench: Bench, *, alone: bool = True) -> tuple[int, ...]:
    """Return how many numbers each draw has for a sample, if they enter the output.

    Or, not in the output `alone`, the density that is taken off.
    """
    x, drawn = bench.inputs(), Frozen()
    runner = bench.runner(seed=bench.options.seed)
    first = runner.run("forward", x, drawn)
    other = Frozen([1 - d if d.is_floating_point() else d for d in drawn.draws])
    then = runner.run("forward", x, other)
    pairs = [(first.y, then.y), (first.taken, then.taken)][: 1 if alone else 2]
    if all(a is None or b is None or is_once_more(a, b) for a, b in pairs):
        return ()
    return tuple(each.numel() // len(x) for each in drawn.draws)


@on_failure(None)
def highest_back(bench: Bench) -> float | None:
    """Return the largest number that the way back returns, far out; None: not whole ones."""
    runner = bench.runner(seed=bench.options.seed)
    y = runner.output("forward", bench.inputs())
    back = runner.output("inverse", y)
    if not bool((back == back.round()).all()):
        return None
    with suppress(FailedCallError):
        far = runner.output("inverse", _FAR * y)
        back = torch.cat([back.flatten(), far.flatten()])
    return float(back.double().nan_to_num().max())


def off_by(bench: Bench) -> float:
    """Return by how much the way back misses whole numbers that the map tells apart."""
    x = bench.inputs()
    back = _around(bench, x)
    if back is None or (x.unique().numel() > 1 and back.unique().numel() == 1):
        return float("inf")  # numbers that are all one to the map say nothing of it
    runner = bench.runner(seed=bench.options.seed)
    return 0.0 if has_one_image(runner, x, back) else float((back - x).abs().max())


@on_failure(None)
def _around(bench: Bench, x: Tensor) -> Tensor | None:
    """Return where there and back leads from x; None where it has another shape."""
    back = bench.runner(seed=bench.options.seed).around(x)
    return back if back.shape == x.shape else None


def repeats_every(bench: Bench) -> float | None:
    """Return after how much the map, or its way back, repeats itself; None: they do not.

    Either way it is there and back that does: what leaves its stretch comes back to it.
    """
    if bench.calls.inverse is None or bench.domain.kind != "real":
        return None
    regions: tuple[Region, ...] = ("usual", "far")
    far = bench.inputs("far")
    back = _around(bench, far)
    if back is not None and _is_close(back, far):
        return None  # from beyond a turn it would lead to another point
    found = (_period(bench, bench.inputs(r)) for r in regions)
    return next((period for period in found if period is not None), None)


@on_failure(None)
def _period(bench: Bench, x: Tensor) -> float | None:
    runner = bench.runner(seed=bench.options.seed)
    period = period_of(runner.around, x, runner.around(x))
    if period is None:
        return None
    inside = replace(bench, domain=stretch(period)).inputs()
    return period if _is_close(runner.around(inside), inside) else None


def stretch(period: float) -> Domain:
    """Return the domain on which a map that repeats itself is one to one."""
    return Domain(kind="interval", low=-period / 2, high=period / 2)


@on_failure(False)
def leaves_domain(bench: Bench, outcome: Outcome) -> bool:
    """Return whether the layer itself says that inputs were outside its domain.

    Its ldj is not a number there, and its way back knows of no such point either: it leads
    nowhere, or to another point that has the same image.
    """
    reported, x = outcome.reported, bench.inputs()
    back = None if reported is None else _around(bench, x)
    if reported is None or back is None:
        return False
    lost = ~torch.isfinite(back.reshape(bench.batch, -1)).all(1)
    if bool(lost[~torch.isfinite(reported)].all()):
        return True
    back = torch.where(torch.isfinite(back), back, x)
    runner = bench.runner(seed=bench.options.seed)
    y, again = (runner.output("forward", at) for at in (x, back))
    return _is_close(y, again) and not _is_close(x, back)


@on_failure(None)
def leads_back_into(bench: Bench) -> Domain | None:
    """Return the smaller domain into which the way back leads from everywhere, if one is.

    The layer then holds its inputs there, by a clamp: what is outside has the same image.
    It has reason to where the map is ever steeper towards the domain's ends; else it is a
    map that loses its inputs, as a ReLU does.
    """
    x = bench.inputs()
    back = None if bench.calls.inverse is None else _around(bench, x)
    if back is None or not (back >= 0).all():
        return None
    runner = bench.runner(seed=bench.options.seed)
    is_unit = bool((back <= 1).all())
    ends = [x.new_full(x.shape, near) for near in (_NEAR_END, 2 * _NEAR_END)]
    ends += [1 - end for end in ends] if is_unit else []
    y, again, *at_ends = (runner.output("forward", at) for at in (x, back, *ends))
    if not _is_close(y, again) or _is_close(x, back):
        return None
    pairs = zip(at_ends[::2], at_ends[1::2], strict=True)
    steep = (float((a - b).abs().max()) > _STEEP * _NEAR_END for a, b in pairs)
    return Domain(kind="unit" if is_unit else "positive") if all(steep) else None


@on_failure(None, NoJacobianError)
def keeps_ends(bench: Bench, *, fails: bool = False) -> Domain | None:
    """Return the interval onto itself that the map is made for, if it is no map outside it.

    The ends of it stay where they are, whatever the parameters, and what lies between does
    not: as with the knots of a monotone spline, whose first and last piece turn back
    somewhere beyond, or which a clamp holds at its ends. One call shows most maps to move
    zero. Below its first knot a spline may find no piece, and raise: then it was fed what
    is positive. Where it `fails` with what it was fed, that it ends need not be seen.
    """
    where = bench.domain.kind
    if bench.calls.parts or where not in ("real", "positive"):
        return None
    domains = tuple(
        each
        for each in bounded_guesses(bench.layer.obj)
        if where == "real" or not each.low
    )
    ends = [end for domain in domains for end in _ends(domain)]
    x = bench.inputs()
    at = x.new_tensor(ends).reshape(-1, *(1,) * (x.dim() - 1))
    at = at.expand(-1, *x.shape[1:]).contiguous()
    kept = torch.ones(len(domains), dtype=torch.bool)
    between = []
    for draw in (1, 2):
        runner = bench.runner(draw=draw, scale=bench.options.params_scale)
        y = runner.output("forward", at)
        if y.shape != at.shape:
            return None
        rows = at.reshape(len(at), -1)  # of single numbers as well
        off = (y.reshape(rows.shape) - rows).abs().amax(1)
        near = off <= _AT_AN_END * (1 + rows[:, 0].abs())
        kept &= near.reshape(-1, 2).all(1)
        if not kept.any():
            return None
        between.append(runner)
    found = (d for d, stays in zip(domains, kept.tolist(), strict=True) if stays)
    return next((d for d in found if _is_made_for(bench, d, between, fails)), None)


@on_failure(None)
def holds_beyond(bench: Bench) -> Domain | None:
    """Return the unit interval, if the map takes all beyond it for its nearer end.

    So does one that clamps pixels before a logit. Within, it holds nothing. Of no other
    interval: who clamps real numbers loses what is beyond.
    """
    if bench.domain.kind != "real" or bench.calls.parts:
        return None
    runner = bench.runner(seed=bench.options.seed)
    for x in (bench.inputs(), bench.inputs("far")):
        if not _is_once_more_of(runner, x, x.clamp(0.0, 1.0)):
            return None
    inner = replace(bench, domain=TAMEST).inputs()
    middle = 0.5 + (inner - 0.5) / 2
    return None if _is_once_more_of(runner, inner, middle) else TAMEST


def _is_once_more_of(runner: Runner, x: Tensor, other: Tensor) -> bool:
    """Return whether a map takes other points, not all the same, to where it takes these."""
    noise = Frozen()
    y = runner.run("forward", x, noise).y.detach()
    again = runner.run("forward", other, noise).y.detach()
    return not torch.equal(x, other) and is_once_more(y, again)


def _ends(domain: Domain) -> tuple[float, float]:
    return domain.low or 0.0, domain.high or 1.0


def _is_made_for(
    bench: Bench, domain: Domain, runners: list[Runner], fails: bool
) -> bool:
    """Return whether a map moves what lies in a domain with its parameters, and ends there.

    Its entries stop growing outside, or it `fails` with what it was fed; inside, they grow.
    What has no parameters grows at its ends as well: a parabola just turns at one.
    """
    x = replace(bench, domain=domain).inputs()
    one, two = (runner.output("forward", x) for runner in runners)
    if _stops_growing(runners[0], x):
        return False
    if _is_close(one, two):
        ends = (x.new_full(x.shape, end) for end in _ends(domain))
        turns = any(_stops_growing(runners[0], end) for end in ends)
        return fails and not turns and not _is_close(one, x)
    if fails or _stops_growing(runners[0], bench.inputs()):
        return True
    with suppress(FailedCallError, NoJacobianError):
        return _stops_growing(runners[0], bench.inputs("far"))
    return False


def _stops_growing(runner: Runner, x: Tensor) -> bool:
    """Return whether an entry grows no more with its own input, at some of these."""
    map_ = FrozenMap(runner=runner, direction="forward", x=x, frozen=Frozen())
    slopes = map_.jacobian(map_.origin)[0].diagonal(dim1=1, dim2=2)
    return bool((slopes <= 0).any())


@on_failure(False)
def couples(bench: Bench) -> bool:
    """Return whether the first sample's output moves when only its companions change."""
    if bench.batch < 2:
        return False
    x = bench.inputs()
    runner = bench.runner(warm_up=x, seed=bench.options.seed)
    others = torch.cat([x[:1], x[:-1]])
    y, moved = (runner.output("forward", at) for at in (x, others))
    return y.shape[:1] == (bench.batch,) and not _is_close(y[:1], moved[:1])


def takes_one_batch(bench: Bench) -> bool:
    """Return whether the layer raises at another size of the batch: an axis met its own."""
    larger = replace(bench, batch=bench.batch + 1)
    runner = larger.runner(seed=bench.options.seed)
    return raises(runner, "forward", larger.inputs())


@on_failure(False)
def raises(runner: Runner, direction: Direction, x: Tensor) -> bool:
    """Return whether a direction that the layer offers raises at an input."""
    try:
        runner.output(direction, x)
    except LayerRaisedError as error:
        return not error.means_absent
    return False


@on_failure(False, NoJacobianError)
def keeps_volume(bench: Bench) -> bool:
    """Return whether the map has determinant 1 or -1, its parameters moved as well."""
    x = bench.inputs()
    moved = bench.options.params == "random"
    scale = bench.options.params_scale
    runner = bench.runner(warm_up=x, draw=int(moved), scale=scale)
    map_ = FrozenMap(runner=runner, direction="forward", x=x, frozen=Frozen())
    if runner.run("forward", x, Frozen()).raw is None:
        return False
    jacobian = map_.jacobian(map_.origin)[0].double()
    if jacobian.shape[1] != jacobian.shape[2] or not jacobian.isfinite().all():
        return False
    return bool((log_abs_det(jacobian)[1].abs() < _KEPT).all())


@on_failure(False)
def listens_to_context(bench: Bench) -> bool:
    """Return whether the output is another one beside another context, and nothing is drawn.

    A total that is handed on leaves the output as it is.
    """
    bench = as_asked(bench)
    x = bench.inputs()
    seen = []
    for seed in (bench.options.seed, bench.options.seed + 1):
        runner = bench.runner(draw=1, scale=bench.options.params_scale, seed=seed)
        outcome = runner.run("forward", x, Frozen())
        if outcome.draws or not bool(torch.isfinite(outcome.y).all()):
            return False
        seen.append(outcome.y.detach())
    return not _is_close(*seen)


def as_asked(bench: Bench) -> Bench:
    """Return the bench with batches as large as was asked for, whatever they meet."""
    return replace(bench, batch=bench.options.batch)


@on_failure(None)
def at_a_glance(bench: Bench) -> tuple[Tensor, ...] | None:
    """Return what both directions return of moved parameters: outputs and ldj, in turn."""
    x = bench.inputs()
    scale, seed = bench.options.params_scale, bench.options.seed
    runner = bench.runner(warm_up=x, draw=1, scale=scale, seed=seed)
    seen = [there := runner.run("forward", x, Frozen())]
    if bench.calls.inverse is not None:
        seen.append(runner.run("inverse", there.y.detach(), Frozen()))
    reported = (o.y.new_zeros(()) if o.reported is None else o.reported for o in seen)
    return tuple(each.detach() for each in (*(o.y for o in seen), *reported))


def changes_nothing(bench: Bench) -> bool:
    """Return whether the output is the input, its parameters moved."""
    seen = at_a_glance(bench)
    if seen is None:
        return False
    y, x = seen[0], bench.inputs()
    return y.shape == x.shape and is_once_more(y, x)


@on_failure(True)
def parts_contexts(bench: Bench) -> bool:
    """Return whether no context beside the first sample moves the others' outputs.

    Where one does, what is fed has no entry for each sample, where the layer looks for one.
    """
    bench = as_asked(bench)
    x = bench.inputs()
    runner = bench.runner(seed=bench.options.seed)
    fed = {each.name for each in bench.options.context}
    others = {
        name: torch.cat([_another(value[:1], value[1:2]), value[1:]])
        for name, value in runner.kwargs.items()
        if name in fed and value.shape[:1] == (bench.batch,)
    }
    beside = replace(runner, kwargs={**runner.kwargs, **others})
    y, moved = (each.output("forward", x) for each in (runner, beside))
    return y.shape[:1] != (bench.batch,) or _is_close(y[1:], moved[1:])


def _another(own: Tensor, next_one: Tensor) -> Tensor:
    """Return another context than a sample's own: its neighbour's, or another class."""
    return next_one if own.is_floating_point() else (own == 0).to(own.dtype)


@on_failure(None)
def reported_otherwise(
    bench: Bench, how: Literal["training", "without gradients"]
) -> tuple[Tensor, Tensor] | None:
    """Return the usual ldj and that of a call made otherwise, if they are two numbers.

    None where the output is another one as well, or where random numbers are drawn.
    """
    bench = as_asked(bench)
    x, options = bench.inputs(), bench.options
    runner = bench.runner(warm_up=x, draw=1, scale=options.params_scale)
    a = runner.run("forward", x, Frozen())
    set_mode(runner.layer, "train" if how == "training" else options.mode)
    with torch.set_grad_enabled(how == "training"):
        b = runner.run("forward", x, Frozen())
    if a.reported is None or b.reported is None or a.y.shape != b.y.shape:
        return None
    one_map = _is_close(a.y.detach(), b.y.detach())
    before, after = a.reported.detach().double(), b.reported.detach().double()
    known = before.isfinite() | after.isfinite()
    if not one_map or _is_close(before[known], after[known]):
        return None
    drawn = how != "training" and bool(a.draws or b.draws)
    return None if drawn else (before, after)


def _is_close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a.double(), b.double(), rtol=_SAME, atol=_SAME)
