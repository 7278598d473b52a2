"""The oracle: the exact ldj of a map, from its whole Jacobian in float64.

`J[b, i, j] = dy[b, i] / dx[b, j]`, by `torch.autograd.functional.jacobian`, and
ldj = log|det J[b]| by slogdet.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
import torch.autograd.forward_ad as fwAD  # torch's own spelling
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.functional import jacobian

from ldjcheck.numerics.numerical_rank import log_abs_det_at_least, loses_rank

FlatMap = Callable[[Tensor], Tensor]
"""A map of `(batch, dims_in)` to `(batch, dims_out)`, sample by sample."""

# Up to so many rows the Jacobian between all samples is computed whole, which proves that
# samples do not influence each other; above it, the sum over the batch is differentiated.
_WHOLE = 256
FEW = 20  # rows: one by one they are done before torch has imported what vmap wants
_WORK = 5_000  # of all rows together: what is less costs less than that import
_CHUNK = 256  # outputs per backward batch: bounds the memory of the vectorised form

Pivots = tuple[list[int], list[int]]
"""Rows and columns of the entries that stand alone, as `peeled` returns them."""

AutogradMethod = Literal["reverse", "reverse-looped", "forward"]


class NoJacobianError(Exception):
    """No way of automatic differentiation goes through this map."""


def exact_jacobian(
    f: FlatMap, x: Tensor, *, apart: bool = False, work: float | None = None
) -> tuple[Tensor, float | None, AutogradMethod]:
    """Return J `(batch, dims_out, dims_in)`, the coupling of samples, and the method.

    The coupling is the largest |dy[b, i] / dx[c, j]| over b != c, or None where it is not
    computed: the samples are known to be `apart`, or the batch is too large for the whole
    Jacobian, and the caller proves independence otherwise. Where a call is little
    `work`, as an `Outcome` tells it, more rows than a few are computed one by one.

    Raises:
        NoJacobianError: reverse and forward mode both raise.
    """
    most = max(FEW, 0 if work is None else _WORK / max(1.0, work))  # one by one
    attempts: tuple[
        tuple[AutogradMethod, Callable[[], tuple[Tensor, float | None]]], ...
    ] = (
        ("reverse", lambda: _reverse(f, x, apart=apart, from_=most)),
        ("reverse-looped", lambda: _reverse(f, x, apart=apart, from_=math.inf)),
        ("forward", lambda: (_forward_mode(f, x), None)),
    )
    for method, attempt in attempts:
        try:
            found, coupling = attempt()
        except Exception:  # each way breaks on other layers
            continue
        return found.detach(), coupling, method
    raise NoJacobianError


def log_abs_det(
    matrices: Tensor, lost_below: float | None = None, *, pivots: Pivots | None = None
) -> tuple[Tensor, Tensor]:
    """Return sign and log|det| of each matrix, both `(batch,)`.

    With `lost_below`, the share of the largest singular value that rounding may leave of
    none, they are 0 and -inf where rank is lost, and nowhere else.

    One matrix at a time: batched LU in some builds of torch is silently wrong, or hangs,
    for 150 dims and more once the number of threads was set. Where zeros make a matrix
    triangular, in whatever order, its pivots are multiplied and nothing is eliminated:
    beside the slopes of a steep network, which do not count, the pivots would drown.
    Where they are known, as from `peeled`, they are the `pivots` of all matrices.
    """
    finite = torch.isfinite(matrices).flatten(1).all(1)
    if matrices.requires_grad or not finite.all():
        # A zero that changes with a parameter counts in the derivative.
        plain = not matrices.requires_grad
        pairs = [
            log_abs_det(m[None], lost_below)
            if plain and known
            else torch.linalg.slogdet(m[None])
            for m, known in zip(matrices, finite, strict=True)
        ]
        return torch.cat([p[0] for p in pairs]), torch.cat([p[1] for p in pairs])
    entries = matrices.detach().cpu().numpy()
    if pivots is None:
        patterns = entries != 0
        alike = bool((patterns == patterns[:1]).all())
    else:
        alike = True
    groups = [slice(None)] if alike else [slice(b, b + 1) for b in range(len(entries))]
    found = [_of_one_pattern(entries[group], lost_below, pivots) for group in groups]
    signs, logs = (np.concatenate(each) for each in zip(*found, strict=True))
    return matrices.new_tensor(signs), matrices.new_tensor(logs)


def _of_one_pattern(
    entries: NDArray[np.floating], lost_below: float | None, known: Pivots | None
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return sign and log|det| of matrices whose zeros are at the same places."""
    rows, columns = known or peeled((entries != 0).any(0))
    rest_rows = sorted({*range(entries.shape[1])} - {*rows})
    rest_columns = sorted({*range(entries.shape[2])} - {*columns})
    rest = entries[:, rest_rows][:, :, rest_columns] if rows else entries
    pairs: list[tuple[float, float]] = [np.linalg.slogdet(matrix) for matrix in rest]
    if lost_below is not None:
        pairs = [_by_rank(*both, lost_below) for both in zip(rest, pairs, strict=True)]
    alone = entries[:, rows, columns]
    swapped = parity(rows + rest_rows) * parity(columns + rest_columns)
    with np.errstate(divide="ignore"):
        logs = np.array([np.log(np.abs(each)).sum() for each in alone])
    signs = np.array([sign for sign, _ in pairs]) * np.sign(alone).prod(1) * swapped
    return (
        signs + 0.0,  # no minus zero
        np.array([log for _, log in pairs]) + logs,
    )


def _by_rank(
    matrix: NDArray[np.floating], found: tuple[float, float], lost_below: float
) -> tuple[float, float]:
    """Return sign and log|det|, zero where rank is lost, and a number where it is not.

    Of a regular matrix whose last singular values drown, rounding may leave a zero as
    well: each then counts as what rounding leaves of one, and the sign as anything.
    """
    sign, log = map(float, found)
    if not len(matrix) or math.isnan(log) or log == math.inf:
        return sign, log
    whole = torch.from_numpy(matrix).double()
    if loses_rank(whole, lost_below):
        return 0.0, -math.inf
    if math.isfinite(log):
        return sign, log
    return 1.0, log_abs_det_at_least(whole)


def peeled(pattern: NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """Return the rows and columns of pivots that stand alone in theirs once others are gone.

    Where they are all rows, the matrix is triangular in that order.
    """
    left = pattern.copy()
    of_row, of_column = left.sum(1), left.sum(0)
    rows: list[int] = []
    columns: list[int] = []
    while True:
        alone = np.flatnonzero(of_row == 1).tolist()
        pivots = {int(left[i].argmax()): i for i in alone}
        if not pivots:
            alone = np.flatnonzero(of_column == 1).tolist()
            pivots = {
                j: i for i, j in {int(left[:, j].argmax()): j for j in alone}.items()
            }
        if not pivots:
            return rows, columns
        across, down = list(pivots.values()), list(pivots)
        rows += across
        columns += down
        of_row -= left[:, down].sum(1)
        left[:, down] = False
        of_column -= left[across].sum(0)
        left[across] = False
        of_row[across] = of_column[down] = 0


def parity(order: list[int]) -> int:
    """Return 1 where an even number of swaps sorts the numbers, else -1."""
    seen, swaps = [False] * len(order), 0
    for start in order:
        at, length = start, 0
        while not seen[at]:
            seen[at] = True
            at, length = order[at], length + 1
        swaps += max(length - 1, 0)
    return -1 if swaps % 2 else 1


def difference_jacobian(
    f: FlatMap, x: Tensor, step: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """Return J by central differences, and an estimate of each entry's error.

    Extrapolated from two step sizes (Richardson), whose own difference is the estimate,
    and what the rounding of outputs makes of so small a step.
    """
    y = f(x).detach()
    epsilon = torch.finfo(y.dtype).eps if y.is_floating_point() else 0.0
    rounding = epsilon * y.abs() / step
    columns = []
    for j in range(x.shape[1]):
        unit = torch.zeros_like(x)
        unit[:, j] = 1.0
        near, _ = central_difference(f, x, unit, step)
        columns.append(extrapolated(f, x, unit, step, near))
    slopes, errors = zip(*columns, strict=True)
    return torch.stack(slopes, dim=2), torch.stack(errors, dim=2) + rounding[..., None]


def ldj_error(jacobian: Tensor, errors: Tensor) -> Tensor:
    """Return how far errors of the entries move log|det J|, to first order, `(batch,)`.

    The derivative of log|det J| by an entry is the entry of the inverse, transposed.
    """
    found = []
    for matrix, error in zip(jacobian, errors, strict=True):
        inverse, singular = torch.linalg.inv_ex(matrix)
        off = (inverse.mT.abs() * error).sum()
        is_known = not singular and bool(torch.isfinite(off))
        found.append(float(off) if is_known else math.inf)
    return torch.tensor(found, dtype=torch.float64)


def central_difference(
    f: FlatMap, x: Tensor, direction: Tensor, step: float
) -> tuple[Tensor, Tensor]:
    """Return the slope along a direction, and how large the values are that it is taken of.

    Both `(batch, dims_out)`. Gradients stay on meanwhile: some maps differentiate inside.
    """
    ahead = f(x + step * direction).detach()
    behind = f(x - step * direction).detach()
    return (ahead - behind) / (2 * step), torch.maximum(ahead.abs(), behind.abs())


def extrapolated(
    f: FlatMap, x: Tensor, direction: Tensor, step: float, near: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a better slope along a direction, and an estimate of its error.

    Both `(batch, dims_out)`: (4 d(h) - d(2h)) / 3 of central differences d at steps h and
    2h, the first of which is given, and |d(h) - d(2h)|.
    """
    far, _ = central_difference(f, x, direction, 2 * step)
    return (4 * near - far) / 3, (near - far).abs()


def random_direction(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Return a random direction that leaves no dim out: each entry is from 1/2 to 3/2.

    Of either sign.
    """
    size = 0.5 + torch.rand(shape, generator=generator, dtype=torch.float64)
    return size * (torch.randint(0, 2, shape, generator=generator).double() * 2 - 1)


def _reverse(
    f: FlatMap, x: Tensor, *, apart: bool, from_: float
) -> tuple[Tensor, float | None]:
    """Return J and the coupling; more rows than `from_` are computed together."""
    batch, dims = x.shape
    if batch * dims <= _WHOLE and not apart:
        whole = jacobian(f, x, vectorize=batch * dims > from_)
        own = torch.stack([whole[b, :, b, :] for b in range(batch)])
        others = whole.clone()
        for b in range(batch):
            others[b, :, b, :] = 0.0
        return own, float(others.abs().max()) if others.numel() else 0.0
    parts: list[Tensor] = []
    outputs = 1  # or more: a first chunk that is full tells to ask
    while (first := _CHUNK * len(parts)) < outputs:
        rows = jacobian(
            lambda v: f(v)[:, first : first + _CHUNK].sum(0),  # called at once
            x,
            vectorize=dims > from_,
        )
        parts.append(rows.transpose(0, 1))
        if len(rows) == _CHUNK and outputs == 1:
            outputs = f(x.detach()).shape[1]
    return torch.cat(parts, dim=1), None


def _forward_mode(f: FlatMap, x: Tensor) -> Tensor:
    columns = []
    for j in range(x.shape[1]):
        unit = torch.zeros_like(x)
        unit[:, j] = 1.0
        with fwAD.dual_level():
            tangent = fwAD.unpack_dual(f(fwAD.make_dual(x, unit))).tangent
        if tangent is None:
            raise NoJacobianError
        columns.append(tangent)
    return torch.stack(columns, dim=2)
