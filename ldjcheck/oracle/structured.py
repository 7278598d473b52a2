"""log|det J| of maps of many dims, proved by structure from few products.

A whole Jacobian of D dims costs D backward passes, and a factorisation besides. From
`LARGE` dims on, or where one pass is long, it is asked for only where nothing simpler is
proved.
"""

import itertools
from dataclasses import replace
from functools import partial
from math import prod

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import is_once_more
from ldjcheck.oracle.derivatives.autograd import (
    FrozenMap,
    draw_of_map,
    has_whole_numbers,
    is_the_number,
    manners_of,
)
from ldjcheck.oracle.derivatives.jacobian import central_difference
from ldjcheck.oracle.derivatives.products import (
    FEW,
    EventMap,
    NoProductsError,
    NoTensorError,
    UnequalDimsError,
)
from ldjcheck.oracle.error_model import Value
from ldjcheck.oracle.question import Call, with_value
from ldjcheck.oracle.structures.by_structure import Wanted, determinant
from ldjcheck.oracle.structures.composition import determined
from ldjcheck.oracle.structures.determinant import Cost, Determinant
from ldjcheck.records import Deadline, Shape, Side, TimeIsUpError
from ldjcheck.running.call_mode import Manner
from ldjcheck.running.failed_calls import LayerRaisedError
from ldjcheck.running.observers.calls import SubmoduleCalls

LARGE = 128
"""Dims from which a proof of structure is always cheaper than a whole Jacobian."""

_MULTIPLICATIONS = 2e8  # of all rows together: a network of images is worth it earlier
_STEP = 1e-5
_ONE = 1e-6  # a factor that is nearer to 1 is 1
_SECONDS = 4.0  # for all entries of what structure leaves: more is left to `autograd`
_TOGETHER = 4.0  # times: so much faster rows may be that are worked out together
_MEMORY = 2.0**31  # bytes, likewise


def by_structure(call: Call) -> Side | None:
    """Return what a proof of structure tells of one call; None where there is none.

    None as well of maps of few dims, of which the whole Jacobian costs less.
    """
    side, y = call.side, call.base.y
    if not _is_worth_it(call) or call.runner.oracle is not None:
        return None
    if side.direction == "inverse" and call.runner.calls.departures:
        return side  # dims that it makes up itself: it has no determinant of its own
    found = _of_input_or_noise(call)
    if found is None:
        return None
    map_, determinant = found
    event = tuple(y.shape[1:])
    exact = replace(
        side.exact,
        wrt="input" if map_.noise is None else "noise",
        method=determinant.method,
        products=determinant.products,
        jacobian=determinant.jacobian,
        anchored=determinant.anchored is None or bool(determinant.anchored.all()),
        rounding_seen=map_.manner.see_rounding,
        detach_seen=map_.manner.see_detach,
    )
    value = Value(
        map=map_,
        ldj=determinant.exact.double().cpu(),
        parts=None if determinant.shares is None else determinant.shares.double().cpu(),
        condition=[1.0] * len(side.x),
        difference_near=partial(_difference_near, map_, event),
        error=determinant.allowed,
    )
    return with_value(call, replace(side, exact=exact), value, determinant.structure)


def _is_worth_it(call: Call) -> bool:
    """Return whether a whole Jacobian takes more than a proof of structure."""
    dims = call.side.dims
    return dims >= LARGE or (
        dims > FEW and dims * call.base.multiplications > _MULTIPLICATIONS
    )


def _difference_near(map_: FrozenMap, event: Shape, at: Tensor) -> Tensor | None:
    """Return reported less exact at another point, where its structure is proved."""
    try:
        there = map_.outcome(at).reported
        found = of_map(map_, at, event)
    except (LayerRaisedError, NoProductsError, UnequalDimsError):
        return None
    if there is None or not _is_proved(found):
        return None
    return there.detach().double() - found.exact.double().cpu()


def _of_input_or_noise(call: Call) -> tuple[FrozenMap, Determinant] | None:
    """Return what is proved of a map, of its noise where that enters the output.

    Of noise that is added, times a constant, the layer may rightly count either: its number
    decides.
    """
    plain, y, reported = call.map, call.base.y, call.side.said.ldj
    wrt = call.options.wrt
    draw = None if wrt == "input" else draw_of_map(plain, y)
    if draw is None:
        return proved(plain, y)
    noisy = replace(plain, noise=draw)
    by_noise = proved(noisy, y)
    if wrt != "auto" or not plain.x.is_floating_point() or reported is None:
        return by_noise
    if by_noise is not None and is_the_number(reported, by_noise[1].exact):
        return by_noise
    by_input = proved(plain, y) if _is_scaled(noisy, plain) else None
    if by_input is None:
        return by_noise
    return by_input if is_the_number(reported, by_input[1].exact) else by_noise


def _is_scaled(noisy: FrozenMap, plain: FrozenMap) -> bool:
    """Return whether noise is added: it moves all samples alike, or as the input does.

    As the input but for one factor, which is not 1.
    """
    if noisy.origin.shape != plain.origin.shape:
        return False
    generator = torch.Generator().manual_seed(plain.runner.seed)
    v = torch.randn(plain.origin[:1].shape, generator=generator, dtype=torch.float64)
    v = v.expand(plain.origin.shape)
    by_input, by_noise = (
        central_difference(m, m.origin, v.to(m.origin), _STEP)[0]
        for m in (plain, noisy)
    )
    if not by_input.any():
        return False
    c = (by_noise * by_input).sum() / (by_input * by_input).sum()
    if torch.allclose(by_noise, c * by_input, rtol=1e-5, atol=1e-8):
        return abs(float(c) - 1.0) > _ONE
    return torch.allclose(by_noise, by_noise[:1].expand_as(by_noise), 1e-5, 1e-8)


def proved(start: FrozenMap, y: Tensor) -> tuple[FrozenMap, Determinant] | None:
    """Return a map, read as plainly as log|det J| is proved in at every sample.

    `y` is what came out. Where it is whole numbers and all slopes are zero, rounding is to
    blame: such a reading is passed over, unless it sees through rounding. None where
    nothing is proved, or the number of dims changes. A sum over parts that differences
    contradict in all readings is returned as that: the whole Jacobian would be no better.

    Raises:
        TimeIsUpError: nothing is proved, and a whole Jacobian takes more time than is left.
    """
    contradicted: tuple[FrozenMap, Determinant] | None = None
    refused: Cost | None = None
    by_autograd = [(manner, False) for manner in manners_of(y)]
    by_differences: list[tuple[Manner, bool]] = []
    for manner, differenced in itertools.chain(by_autograd, by_differences):
        map_ = replace(start, manner=manner)
        if contradicted is not None and _is_alike(map_, contradicted[0]):
            continue
        if manner.see_rounding:
            map_(map_.origin)  # what is rounded away is fixed at the origin
        event = tuple(y.shape[1:])
        try:
            found = of_map(
                map_, map_.origin, event, anchor=True, differences=differenced
            )
        except NoProductsError:
            # Differences of what is rounded are zero or one: they would say nothing.
            steps = has_whole_numbers(y) and not manner.see_rounding
            if not differenced and not steps:
                by_differences.append((manner, True))
            continue
        except (UnequalDimsError, NoTensorError):
            return None
        is_flat = bool((found.exact == -torch.inf).all())
        if is_flat and has_whole_numbers(y) and not manner.see_rounding:
            continue
        if _is_proved(found):
            return map_, found
        if found.method == "composition":
            contradicted = contradicted or (map_, found)
        refused = refused or found.refused
    if contradicted is None and refused is not None:
        _in_time(refused, start.runner.timeout)
    return contradicted


def _is_alike(one: FrozenMap, other: FrozenMap) -> bool:
    """Return whether two readings have the same derivatives, along random outputs."""
    slopes: list[Tensor] = []
    for map_ in (one, other):
        generator = torch.Generator().manual_seed(map_.runner.seed)
        x = map_.origin.clone().requires_grad_()
        try:
            y = map_(x)
            v = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y)
            slopes += torch.autograd.grad(y, x, v)
        except (LayerRaisedError, RuntimeError):  # as torch says that it does not
            return False
    return is_once_more(*slopes)


def _in_time(cost: Cost, limit: Deadline | None) -> None:
    """Raise where a whole Jacobian would take more time than is left, before it begins."""
    if limit is None or cost.seconds <= _TOGETHER * limit.left:
        return
    told = (
        "No structure was found, so all of the Jacobian is needed:",
        f"{cost}, and {limit.left:.1f} s are left.",
    )
    raise TimeIsUpError(instead=told)


def of_map(
    map_: FrozenMap,
    at: Tensor,
    event: Shape,
    *,
    anchor: bool = False,
    differences: bool = True,
) -> Determinant:
    """Return what is known of log|det J| of a map at flat points `(batch, dims)`.

    Raises:
        NoProductsError: nothing differentiates through the map.
        UnequalDimsError: the number of dims changes.
        TimeIsUpError: the time of the whole check is over.
    """
    origin = map_.x if map_.noise is None else map_.frozen.draws[map_.noise]

    def f(x: Tensor) -> Tensor:
        y = map_(x.reshape(len(x), -1))
        return y.reshape(len(y), *event) if y.shape[1] == prod(event) else y

    limit = map_.runner.timeout
    whole = None if limit is None else replace(limit, share=None)  # no stage's alone

    def afford(cost: Cost) -> bool:
        if whole is not None:
            whole.check()  # one part after another may be asked for
        return is_afforded(cost) and (whole is None or cost.seconds <= whole.left)

    wanted = Wanted(
        seed=map_.runner.seed, anchor=anchor, afford=afford, differences=differences
    )
    return determined(f, at.reshape(origin.shape), SubmoduleCalls(), wanted)


def step_of(f: EventMap, x: Tensor) -> Tensor | None:
    """Return log|det| of one step of a map, `(batch,)`; None where nothing is proved."""
    try:
        found = determinant(f, x, Wanted(anchor=False, afford=is_afforded))
    except (NoProductsError, UnequalDimsError, NoTensorError):
        return None
    return found.exact.cpu() if bool(found.is_known.all()) else None


def is_afforded(cost: Cost) -> bool:
    """Return whether a whole Jacobian may be worked out."""
    return cost.seconds <= _SECONDS and cost.memory <= _MEMORY


def _is_proved(found: Determinant) -> bool:
    alone = found.coupled is None or not bool(found.coupled.any())
    agrees = found.anchored is None or bool(found.anchored.all())
    return alone and agrees and bool(found.is_known.all())
