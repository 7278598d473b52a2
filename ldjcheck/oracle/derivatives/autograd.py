"""The Jacobian of one direction, and the reading of the layer's code that it belongs to."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ldjcheck.numerics.tolerance import hides_mistakes, is_once_more
from ldjcheck.oracle.derivatives.anchor import anchored_samples
from ldjcheck.oracle.derivatives.jacobian import (
    NoJacobianError,
    difference_jacobian,
    exact_jacobian,
    ldj_error,
    log_abs_det,
)
from ldjcheck.records import Direction, Shape, Wrt
from ldjcheck.records.asked import Oracle
from ldjcheck.records.words import Method
from ldjcheck.running.call_mode import PLAIN, Manner
from ldjcheck.running.guard import Frozen
from ldjcheck.running.runner import Outcome, Runner
from ldjcheck.tracebacks import message_of

_PLAINLY = (PLAIN, Manner(see_detach=True))
_ROUNDED = tuple(replace(manner, see_rounding=True) for manner in _PLAINLY)


def manners_of(y: Tensor) -> tuple[Manner, ...]:
    """Return what may be seen through in a map that gave y, the plainest first."""
    return _PLAINLY + (_ROUNDED if has_whole_numbers(y) else ())


def has_whole_numbers(y: Tensor) -> bool:
    """Return whether an output holds whole numbers only: it may have been rounded."""
    return not y.is_floating_point() or bool((y == y.round()).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenMap:
    """One direction at one input, with all noise and rounding held fixed.

    Called with a flat `(batch, dims)` tensor it returns the flat output. What varies is
    the input, or draw number `noise` when that is given; the rest stays as it was.
    """

    runner: Runner
    direction: Direction
    x: Tensor  # (batch, *event)
    frozen: Frozen
    manner: Manner = PLAIN  # what is seen through; the report says it
    noise: int | None = None
    apart: bool = False  # samples are known not to influence each other
    work: float | None = None  # of one call, where it is known

    @property
    def origin(self) -> Tensor:
        """The flat point at which the map is studied."""
        at = self.x if self.noise is None else self.frozen.draws[self.noise]
        return at.detach().reshape(len(self.x), -1)

    def __call__(self, flat: Tensor) -> Tensor:
        """Return y, flat, for another input or another draw."""
        y = self.outcome(flat).y
        if not y.is_floating_point():
            y = y.to(self.x.dtype if self.x.is_floating_point() else torch.float64)
        if y.dim() and len(y) == len(self.x):
            return y.reshape(len(self.x), -1)
        return y.reshape(1, -1)

    def jacobian(self, flat: Tensor) -> tuple[Tensor, float | None, Method]:
        """Return J, the coupling of samples and the method, as `exact_jacobian` does.

        The user's own oracle, where one is given, says nothing about the coupling.

        Raises:
            NoJacobianError: automatic differentiation does not go through the map.
            ValueError: the user's oracle raised, or returned something else.
        """
        oracle = self.runner.oracle
        if oracle is None:
            return exact_jacobian(self, flat, apart=self.apart, work=self.work)
        return self._given(oracle, flat), None, "given"

    def _given(self, oracle: Oracle, flat: Tensor) -> Tensor:
        by_map = list[BaseException]()

        def f(x: Tensor) -> Tensor:
            try:
                return self(x)
            except Exception as error:
                by_map.append(error)
                raise

        try:
            found = oracle(f, flat)
        except Exception as error:
            if any(error is each for each in by_map):  # it is told as the layer's
                raise
            said = f"{type(error).__name__}: {message_of(error)}"
            raise ValueError(f"the Jacobian's own function raised {said}") from error
        if not isinstance(found, Tensor):
            raise ValueError(
                f"the Jacobian that is given is a {type(found).__name__}, not a tensor"
            )
        if found.dim() != 3 or found.shape[::2] != flat.shape:
            raise ValueError(
                f"the Jacobian that is given has shape {tuple(found.shape)}, not "
                f"(batch, dims_out, dims_in) = ({len(flat)}, dims_out, {flat.shape[1]})"
            )
        return found.detach()

    def outcome(self, flat: Tensor) -> Outcome:
        """Return all that the layer hands back at this point."""
        frozen, x = self.frozen, self.x
        if self.noise is None:
            x = flat.reshape(self.x.shape)
        else:
            shape: Shape = tuple(frozen.draws[self.noise].shape)
            draws = list(frozen.draws)
            draws[self.noise] = flat.reshape(shape)
            frozen = Frozen(draws, frozen.offsets, frozen.idle_clips)
        return self.runner.run(self.direction, x, frozen, self.manner)


def draw_of_map(plain: FrozenMap, y: Tensor) -> int | None:
    """Return which random draw enters the output y as an input of the map, or None."""
    batch = len(plain.x)
    dims = y.numel() // batch
    for index, drawn in enumerate(list(plain.frozen.draws)):
        if not drawn.is_floating_point() or not drawn.dim() or len(drawn) != batch:
            continue
        if drawn.numel() != dims * batch:
            continue
        map_ = replace(plain, noise=index)
        nudged = map_(map_.origin * (1 - 1e-3) + 1e-4)
        if not is_once_more(nudged, map_(map_.origin)):
            return index
    return None


# --- its Jacobian ---------------------------------------------------------------------

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
    plain: FrozenMap,
    base: Outcome,
    wrt: Literal["auto"] | Wrt,
    dtype: str,
    there: Tensor | None,
    *,
    apart: bool,
) -> Truth:
    """Return the Jacobian that central differences confirm, in the plainest reading.

    Where they confirm none, the differences themselves stand for it. `there`, the Jacobian
    of the map that this one undoes, confirms its inverse as well, and is the next best: a
    derivative that neither it nor a first difference confirms is left as it is. Samples
    that are known to be `apart` need not be looked at in pairs.
    """
    noise = None if wrt == "input" else draw_of_map(plain, base.y)
    start = replace(plain, noise=noise, apart=apart, work=base.work)
    found = _confirmed(start, base.y, dtype, there)
    reported = base.reported
    if noise is None or wrt != "auto" or reported is None:
        return found
    if not plain.x.is_floating_point():
        return found
    return _scaled_noise(found, plain, base.y, reported, dtype)


def _confirmed(
    start: FrozenMap, y: Tensor, dtype: str, there: Tensor | None = None
) -> Truth:
    whole_numbers = has_whole_numbers(y)
    best: Truth | None = None
    known = torch.zeros(len(start.x), dtype=torch.bool)
    for manner in manners_of(y):
        map_ = replace(start, manner=manner)
        try:
            jacobian, coupling, method = map_.jacobian(map_.origin)
        except NoJacobianError:
            continue
        flat = not jacobian.any()
        if flat and whole_numbers and not manner.see_rounding:
            continue  # rounding is the output: its derivative says nothing as it stands
        if manner.see_rounding:
            map_(map_.origin)  # what is rounded away is fixed at the origin
        elif best is not None and is_once_more(jacobian, best.jacobian):
            continue  # the same values, and the same derivatives
        if there is not None and _undoes(jacobian, there):
            anchored = torch.ones_like(known)
        else:
            once = there is not None
            seed = start.runner.seed
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
    return _by_difference(start, best, known, dtype)


def _undoes(jacobian: Tensor, there: Tensor) -> bool:
    """Return whether two Jacobians are each other's inverse, sample by sample."""
    if jacobian.shape != there.shape or jacobian.shape[1] != jacobian.shape[2]:
        return False
    off = jacobian.double() @ there.double() - torch.eye(there.shape[1]).double()
    return bool((off.abs() <= _UNDONE).all())


def _by_difference(
    start: FrozenMap, best: Truth | None, known: Tensor, dtype: str
) -> Truth:
    """Return the Jacobian with the samples by differences that nothing else confirms.

    A sample is lost where the steps lead out of the domain, or, alone among many, across
    a kink; a map that jumps at more of them is not known.
    """
    map_ = start if best is None or not known.any() else best.map
    step = 1e-5 if dtype == "float64" else 1e-2
    jacobian, errors = difference_jacobian(map_, map_.origin, step)
    error = None
    if jacobian.shape[1] == jacobian.shape[2]:
        error = ldj_error(jacobian.double().cpu(), errors.double().cpu())
    lost = torch.zeros_like(known)
    if best is not None and best.jacobian.shape == jacobian.shape and known.any():
        lost = ~known & ~torch.isfinite(jacobian).flatten(1).all(1)
        if error is not None and known.sum() >= _MOST * len(known):
            lost |= ~known & (error > hides_mistakes(jacobian.shape[1]))
        if error is not None:
            error = error.masked_fill(known | lost, 0.0)
        kept = (known | lost)[:, None, None]
        jacobian = torch.where(kept, best.jacobian.to(jacobian), jacobian)
    seed = start.runner.seed + 1
    anchored = anchored_samples(map_, map_.origin, jacobian, dtype, seed)
    return Truth(
        map=map_,
        jacobian=jacobian,
        method="differences",
        anchored=bool((anchored | known | lost).all()),
        coupling=None,
        lost=lost,
        error=error,
    )


def _scaled_noise(
    by_noise: Truth, plain: FrozenMap, y: Tensor, reported: Tensor, dtype: str
) -> Truth:
    """Return the reading that the layer means where noise is added, c constant.

    Of x + c * noise both Jacobians differ by the constant c alone, and of f(x) + c * noise
    that of the noise is one constant: the layer may rightly count either, and its own
    number decides, unless that of x alone varies. Everywhere else the noise is what the map
    transforms.
    """
    if is_the_number(reported, log_abs_det(by_noise.jacobian.double())[1]):
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
    by_input = _confirmed(plain, y, dtype)
    exact = log_abs_det(by_input.jacobian.double())[1]
    varies = not scaled and not is_the_number(exact[:1].expand_as(exact), exact)
    return by_input if varies or is_the_number(reported, exact) else by_noise


def is_the_number(reported: Tensor, exact: Tensor) -> bool:
    """Return whether a layer reports this ldj, and not one that differs by a factor."""
    said = reported.detach().double()
    return torch.allclose(said, exact.to(said), atol=1e-6, rtol=1e-6)
