"""The Jacobian of one direction, and the reading of the layer's code that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import hides_mistakes, is_once_more
from ldjcheck.oracle.derivatives.anchor import anchored_samples
from ldjcheck.oracle.derivatives.flat_map import (
    FrozenMap,
    draw_of_map,
    has_whole_numbers,
    readings_of,
)
from ldjcheck.oracle.derivatives.jacobian import (
    NoJacobianError,
    difference_jacobian,
    ldj_error,
    log_abs_det,
)
from ldjcheck.records import Direction, Method, Options
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Outcome, Runner

_MOST = 0.75  # of the samples: what is left is an exception
_UNDONE = 1e-6  # of a product that is the identity, rounding apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A Jacobian, how it was come by, and the map that it belongs to."""

    map: FrozenMap
    jacobian: Tensor
    method: Method
    anchored: bool
    coupling: float | None
    lost: Tensor | None = None  # samples of which nothing is known, `(batch,)`
    error: Tensor | None = None  # of log|det J|, by differences, in nats, `(batch,)`


def truth_of(
    runner: Runner,
    direction: Direction,
    x: Tensor,
    frozen: Frozen,
    base: Outcome,
    options: Options,
    dtype: str,
    there: Tensor | None = None,
    *,
    apart: bool = False,
) -> Truth:
    """Return the Jacobian that central differences confirm, in the plainest reading.

    Where they confirm none, the differences themselves stand for it. `there`, the Jacobian
    of the map that this one undoes, confirms its inverse as well, and is the next best: a
    derivative that neither it nor a first difference confirms is left as it is. Samples
    that are known to be `apart` need not be looked at in pairs.
    """
    noise = None
    if options.wrt != "input":
        noise = draw_of_map(runner, direction, x, frozen, base)
    start = FrozenMap(
        runner=runner, direction=direction, x=x, frozen=frozen, noise=noise, apart=apart,
        work=base.work,
    )  # fmt: skip
    found = _confirmed(start, base, dtype, runner.seed, there)
    if noise is not None and options.wrt == "auto" and base.reported is not None:
        plain = FrozenMap(runner=runner, direction=direction, x=x, frozen=frozen)
        if x.is_floating_point():
            found = _scaled_noise(found, plain, base, dtype, runner.seed)
    return found


def _confirmed(
    start: FrozenMap, base: Outcome, dtype: str, seed: int, there: Tensor | None = None
) -> Truth:
    whole_numbers = has_whole_numbers(base.y)
    best: Truth | None = None
    known = torch.zeros(len(start.x), dtype=torch.bool)
    for reading in readings_of(base.y):
        map_ = replace(start, reading=reading)
        try:
            jacobian, coupling, method = map_.jacobian(map_.origin)
        except NoJacobianError:
            continue
        flat = not jacobian.any()
        if flat and whole_numbers and not reading.rounding:
            continue  # rounding is the output: its derivative says nothing as it stands
        if reading.rounding:
            map_(map_.origin)  # what is rounded away is fixed at the origin
        elif best is not None and is_once_more(jacobian, best.jacobian):
            continue  # the same values, and the same derivatives
        if there is not None and _undoes(jacobian, there):
            anchored = torch.ones_like(known)
        else:
            once = there is not None
            anchored = anchored_samples(
                map_, map_.origin, jacobian, dtype, seed, once=once
            )
        truth = Truth(
            map=map_,
            jacobian=jacobian,
            method=method,
            anchored=bool(anchored.all()),
            coupling=coupling,
        )
        if truth.anchored:
            return truth
        if best is None or anchored.sum() > known.sum():
            best, known = truth, anchored
    if best is not None and there is not None:
        return best
    return _by_difference(start, best, known, dtype, seed)


def _undoes(jacobian: Tensor, there: Tensor) -> bool:
    """Return whether two Jacobians are each other's inverse, sample by sample."""
    if jacobian.shape != there.shape or jacobian.shape[1] != jacobian.shape[2]:
        return False
    off = jacobian.double() @ there.double() - torch.eye(there.shape[1]).double()
    return bool((off.abs() <= _UNDONE).all())


def _by_difference(
    start: FrozenMap, best: Truth | None, known: Tensor, dtype: str, seed: int
) -> Truth:
    """Return the Jacobian with the samples by differences that nothing else confirms.

    A sample is lost where the steps lead out of the domain, or, alone among many, across
    a kink; a map that jumps at more of them is not known.
    """
    map_ = start if best is None or not known.any() else best.map
    step = 1e-5 if dtype == "float64" else 1e-2
    jacobian, errors = difference_jacobian(map_, map_.origin, step)
    error = _ldj_error(jacobian, errors)
    lost = torch.zeros_like(known)
    if best is not None and best.jacobian.shape == jacobian.shape and known.any():
        lost = ~known & ~torch.isfinite(jacobian).flatten(1).all(1)
        if error is not None and known.sum() >= _MOST * len(known):
            lost |= ~known & (error > hides_mistakes(jacobian.shape[1]))
        if error is not None:
            error = error.masked_fill(known | lost, 0.0)
        kept = (known | lost)[:, None, None]
        jacobian = torch.where(kept, best.jacobian.to(jacobian), jacobian)
    anchored = anchored_samples(map_, map_.origin, jacobian, dtype, seed + 1)
    return Truth(
        map=map_,
        jacobian=jacobian,
        method="differences",
        anchored=bool((anchored | known | lost).all()),
        coupling=None,
        lost=lost,
        error=error,
    )


def _ldj_error(jacobian: Tensor, errors: Tensor) -> Tensor | None:
    if jacobian.shape[1] != jacobian.shape[2]:
        return None
    return ldj_error(jacobian.double().cpu(), errors.double().cpu())


def _scaled_noise(
    by_noise: Truth, plain: FrozenMap, base: Outcome, dtype: str, seed: int
) -> Truth:
    """Return the reading that the layer means where noise is added, c constant.

    Of x + c * noise both Jacobians differ by the constant c alone, and of f(x) + c * noise
    that of the noise is one constant: the layer may rightly count either, and its own
    number decides, unless that of x alone varies. Everywhere else the noise is what the map
    transforms.
    """
    assert base.reported is not None
    if is_the_number(base.reported, log_abs_det(by_noise.jacobian.double())[1]):
        return by_noise
    try:
        jacobian, _, _ = plain.jacobian(plain.origin)
    except NoJacobianError:
        return by_noise
    if jacobian.shape != by_noise.jacobian.shape or not jacobian.any():
        return by_noise
    c = (by_noise.jacobian * jacobian).sum() / (jacobian * jacobian).sum()
    scaled = torch.allclose(by_noise.jacobian, c * jacobian, rtol=1e-9, atol=1e-12)
    if scaled and abs(float(c) - 1.0) < 1e-9:
        return by_noise
    constant = by_noise.jacobian[:1].expand_as(jacobian)
    added = torch.allclose(by_noise.jacobian, constant, rtol=1e-9, atol=1e-12)
    if not (scaled or added):
        return by_noise
    by_input = _confirmed(plain, base, dtype, seed)
    exact = log_abs_det(by_input.jacobian.double())[1]
    varies = not scaled and not is_the_number(exact[:1].expand_as(exact), exact)
    return by_input if varies or is_the_number(base.reported, exact) else by_noise


def is_the_number(reported: Tensor, exact: Tensor) -> bool:
    """Return whether a layer reports this ldj, and not one that differs by a factor."""
    said = reported.detach().double()
    return torch.allclose(said, exact.to(said), atol=1e-6, rtol=1e-6)
