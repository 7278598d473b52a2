"""How far a right report may be off at a point, in the precision that the layer runs in.

Everything is measured in float64, in which a matrix that was made in float32 keeps its
rounding: where rank is lost, that rounding alone makes it regular. Moved by as much as
float32 cannot tell apart, its determinant is another one, and not known. The ldj of layers
that squeeze step by step does not move so, however badly conditioned they are as a whole.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ldjcheck.numerics.numerical_rank import kept_values, loses, singular_values
from ldjcheck.numerics.tolerance import (
    MACHINE_EPSILON,
    OPEN,
    SOFTPLUS_TAIL,
    SQUEEZES,
    VISIBLE,
    allowed_difference,
    hides_mistakes,
    lost_below,
)
from ldjcheck.object_graph import reachable
from ldjcheck.oracle.derivatives.autograd import FrozenMap, Truth
from ldjcheck.oracle.derivatives.jacobian import NoJacobianError, log_abs_det
from ldjcheck.records import Options
from ldjcheck.running.failed_calls import LayerRaisedError
from ldjcheck.running.placement import is_inexact
from ldjcheck.running.runner import Outcome
from ldjcheck.tracing import Names

# Relative moves that leave a smooth difference alone and redo every rounding.
_HAIR = {"float64": 1e-9, "float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
_ASIDE = 1e-3  # a share that moves digits which a hair leaves, and a mistake as little
_ANOTHER = 0.1  # of a difference: one that follows x changes by some thousandths there
_SCATTERS = 8.0  # three draws see a fraction of how far rounding can go
_PLENTY = 4.0  # times the difference: that much room needs no more draws


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """The exact ldj of a map at a point, and what its error depends on.

    `ldj` is `(batch,)` in nats, `parts` the parts of log|det J| by dims, `(batch, dims)`,
    or None. `condition` is that of each sample's Jacobian once scaled, `error` by how much
    `ldj` may be off by itself, `(batch,)`. `difference_near` returns reported less exact at
    another flat point, None where one of them is not to be had.
    """

    map: FrozenMap
    ldj: Tensor
    parts: Tensor | None
    condition: Sequence[float]
    difference_near: Callable[[Tensor], Tensor | None]
    error: Tensor | None = None
    by_differences: bool = False

    @property
    def dims(self) -> int:
        """How many dims the map has."""
        return self.map.origin.shape[1]

    def contraction(self, sample: int) -> float:
        """Return the smallest factor by which a dim of a sample is scaled."""
        return 1.0 if self.parts is None else float(self.parts[sample].min().exp())


def allowed_at(
    value: Value, reported: Tensor | None, base: Outcome, dtype: str, options: Options
) -> Tensor:
    """Return the allowed difference of each sample, `(batch,)`, in nats."""
    given = options.atol is not None or options.rtol is not None
    exact = value.ldj
    blind = None if given else value.error

    def allowed(noise: float) -> Tensor:
        return torch.tensor(
            [
                allowed_difference(
                    dims=value.dims,
                    exact=float(e) if torch.isfinite(e) else 0.0,
                    reported=0.0 if reported is None else float(reported[b]),
                    condition=value.condition[b],
                    dtype=dtype,
                    noise=noise
                    if blind is None
                    else max(noise, _SCATTERS * float(blind[b])),
                    contraction=value.contraction(b),
                    largest=float(base.y[b].detach().abs().max()),
                    taken=0.0 if base.taken is None else float(base.taken[b]),
                    atol=options.atol,
                    rtol=options.rtol,
                )
                for b, e in enumerate(exact)
            ],
            dtype=torch.float64,
        )

    least = allowed(0.0)
    known = torch.isfinite(exact)
    if given or (
        reported is not None and bool(((reported - exact).abs() <= least)[known].all())
    ):
        return least  # nothing is left to explain
    return allowed(_scatter(value, reported, single=base.single))


def slack_at(value: Value, reported: Tensor | None) -> float:
    """Return how far float32 constants leave the difference open where it is large."""
    if reported is None or not value.map.runner.constants:
        return 0.0
    now = reported - value.ldj
    if not bool(torch.isfinite(now).all()) or float(now.abs().max()) < 10 * VISIBLE:
        return 0.0
    generator = torch.Generator().manual_seed(1)
    gaps = [_gap_of_constants(value, generator) for _ in range(2)]
    return max(_largest_change(gap, now) for gap in gaps)


def _scatter(value: Value, reported: Tensor | None, *, single: bool) -> float:
    """Return how far the difference scatters where only rounding is different.

    Asked only where a small difference would otherwise be called a mistake. Two things
    are tried. The input moves by a hair: a mistake's difference stays as it is, while that
    of right code that cancels (quadratic formulas in splines, 1 - tanh(x)**2) jumps. Where
    a sigmoid has come to its end, a hair moves no digit of it: then a wider step is taken,
    at which a mistake's difference changes by as little in proportion. And constants that
    were made in float32 move by their own rounding: two that belong together, such as a
    slope and its logarithm, agree no better than that. What float32 has rounded on its way
    into the call (`single`) cannot be moved: it is allowed what its rounding may cost.
    """
    exact, dims = value.ldj, value.dims
    if value.by_differences:
        return 1e-8 * dims
    if reported is None or not value.map.origin.is_floating_point():
        return 0.0
    off = (reported - exact).abs()
    off = off[torch.isfinite(off)]
    if not off.numel() or not 1e-13 * dims < float(off.max()) < hides_mistakes(dims):
        return 0.0
    now, most = reported - exact, float(off.max())
    size = dims + float(exact[torch.isfinite(exact)].abs().max())
    scattered = 2.0 * MACHINE_EPSILON["float32"] * size if single else 0.0
    for change in _changes(value, now, most):
        scattered = max(scattered, change)
        if scattered > _PLENTY * most:  # each further one costs an exact value
            return scattered
    tail = SOFTPLUS_TAIL * dims
    return max(scattered, tail if most < tail and _takes_softplus(value) else 0.0)


def _changes(value: Value, now: Tensor, most: float) -> Iterator[float]:
    """Yield by how much the difference `now` changes where only rounding is different."""
    generator = torch.Generator().manual_seed(0)
    hair = _HAIR[str(value.map.origin.dtype).removeprefix("torch.")]
    for _ in range(3):
        nearby = _gap_nearby(value, generator, hair)
        yield _SCATTERS * _largest_change(nearby, now)
    for _ in range(3):
        yield _largest_change(_gap_of_constants(value, generator), now)
    aside = _largest_change(_gap_nearby(value, generator, _ASIDE), now)
    if aside > _ANOTHER * most:
        yield _SCATTERS * aside


def _takes_softplus(value: Value) -> bool:
    """Return whether the call takes a softplus, which torch cuts off; yes if it is hidden."""
    held = reachable(value.map.runner.layer)
    if any(isinstance(each, torch.jit.ScriptModule) for each in held):
        return True
    with Names() as names, suppress(LayerRaisedError):
        value.map.outcome(value.map.origin)
    return "softplus" in names.heard


def _largest_change(gap: Tensor | None, now: Tensor) -> float:
    if gap is None:
        return 0.0
    return float((gap - now)[torch.isfinite(now)].abs().nan_to_num(0.0, math.inf).max())


def _gap_nearby(
    value: Value, generator: torch.Generator, share: float
) -> Tensor | None:
    """Return reported - exact where each entry of the origin is moved by some share."""
    origin = value.map.origin
    step = torch.randn(origin.shape, generator=generator, dtype=torch.float64)
    return value.difference_near(origin * (1.0 + share * step.to(origin)))


def _gap_of_constants(value: Value, generator: torch.Generator) -> Tensor | None:
    """Return reported - exact with every float32 constant moved by its rounding."""
    constants = value.map.runner.constants
    if not constants:
        return None
    with moved_by_rounding(constants, generator, units=16.0, of=64.0):
        return value.difference_near(value.map.origin)


# --- what float32 leaves open ---------------------------------------------------------

_MOVES = 3  # of what float32 has rounded: one may leave a determinant where it is
_MADE_BY_ROUNDING = 2.0 * OPEN  # nats for each singular value that is lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What float32 knows of log|det J|, sample by sample.

    `open` is by how many nats its rounding moves it, `lost` whether it alone makes the
    Jacobian regular; both `(batch,)`.
    """

    open: Tensor
    lost: Tensor


def known_in_float32(
    truth: Truth, condition: Sequence[float], dtype: str, *, single: bool
) -> Known | None:
    """Return what is known of log|det J|, or None where the condition leaves no doubt.

    `condition` is that of J once its rows and columns are scaled to one. What float32 has
    rounded in the call itself (`single`) cannot be moved, as cannot be what was all
    computed in it: to first order, it moves log|det J| by its unit times the condition.
    """
    if max(condition, default=1.0) < SQUEEZES:
        return None
    start = truth.jacobian.double().cpu()
    lost = torch.zeros(len(start), dtype=torch.bool)
    least = torch.zeros(len(start), dtype=torch.float64)
    if single or dtype == "float32":
        unit = MACHINE_EPSILON["float32"]
        least = unit * torch.tensor(condition, dtype=torch.float64)
    constants = (*truth.map.runner.constants, *_arrays(truth.map.runner.layer))
    if not constants:
        return Known(open=least, lost=lost) if bool(least.any()) else None
    generator = torch.Generator().manual_seed(2)
    found = (_moved(truth, constants, generator) for _ in range(_MOVES))
    moved = [jacobian for jacobian in found if jacobian is not None]
    if not moved:
        return None
    before = log_abs_det(start)[1]
    changes = [(log_abs_det(m)[1] - before).abs().nan_to_num(0.0) for m in moved]
    lost = torch.tensor(
        [_is_made(one, [m[b] for m in moved]) for b, one in enumerate(start)]
    )
    return Known(open=torch.stack([least, *changes]).amax(0), lost=lost)


@contextlib.contextmanager
def moved_by_rounding(
    constants: Sequence[Tensor], generator: torch.Generator, *, units: float, of: float
) -> Iterator[None]:
    """Move numbers made in float32 by at most half of `units` of its rounding, for a while.

    Matrices come out of longer computations, factorisations and exponentials: they are
    moved by `of` such units. Ones, zeros and halves are exact, and stay.
    """
    saved = [constant.detach().clone() for constant in constants]
    try:
        with torch.no_grad():
            for constant in constants:
                step = torch.rand(
                    constant.shape, generator=generator, dtype=torch.float64
                )
                ulps = of if constant.dim() > 1 else units
                off = ulps * MACHINE_EPSILON["float32"] * (step - 0.5)
                constant.mul_(1.0 + off * is_inexact(constant))
        yield
    finally:
        with torch.no_grad():
            for constant, value in zip(constants, saved, strict=True):
                constant.copy_(value)


def _arrays(layer: Any) -> list[Tensor]:
    """Return the NumPy arrays that a layer holds in float32, as tensors of their memory."""
    return [
        torch.from_numpy(item)
        for item in reachable(layer)
        if isinstance(item, np.ndarray)
        and item.dtype == np.float64
        and item.flags.writeable
        and bool((item == item.astype(np.float32)).all())
    ]


def _moved(
    truth: Truth, constants: Sequence[Tensor], generator: torch.Generator
) -> Tensor | None:
    """Return J with all that float32 has rounded moved by as much."""
    with moved_by_rounding(constants, generator, units=1.0, of=1.0):
        try:
            return truth.map.jacobian(truth.map.origin)[0].double().cpu()
        except (LayerRaisedError, NoJacobianError):
            return None


def _is_made(matrix: Tensor, moved: Sequence[Tensor]) -> bool:
    """Return whether rounding has made the smallest singular values, by how far they move.

    A gap parts them from those that it has not.
    """
    lowest = lost_below(len(matrix), "float32")
    values = singular_values(matrix)
    if values is None or not loses(values, lowest):
        return False
    first = len(kept_values(values, lowest))
    changes = []
    for other in map(singular_values, moved):
        if other is not None and bool(values[-1] > 0) and bool(other[-1] > 0):
            changes.append(float((other / values)[first:].log().abs().mean()))
    return max(changes, default=0.0) > _MADE_BY_ROUNDING
