"""The oracle: the exact ldj of a map, from its whole Jacobian in float64.

`J[b, i, j] = dy[b, i] / dx[b, j]`, by `torch.autograd.functional.jacobian`, and
ldj = log|det J[b]| by slogdet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.autograd.forward_ad as fwAD  # torch's own spelling
from torch import Tensor
from torch.autograd.functional import jacobian

FlatMap = Callable[[Tensor], Tensor]
"""A map of `(batch, dims_in)` to `(batch, dims_out)`, sample by sample."""

# Up to so many rows the Jacobian between all samples is computed whole, which proves that
# samples do not influence each other; above it, the sum over the batch is differentiated.
_WHOLE = 256
FEW = 20  # rows: one by one they are done before torch has imported what vmap wants
_CHUNK = 256  # outputs per backward batch: bounds the memory of the vectorised form

AutogradMethod = Literal["reverse", "reverse-looped", "forward"]


class NoJacobianError(Exception):
    """No way of automatic differentiation goes through this map."""


def exact_jacobian(
    f: FlatMap, x: Tensor
) -> tuple[Tensor, float | None, AutogradMethod]:
    """Return J `(batch, dims_out, dims_in)`, the coupling of samples, and the method.

    The coupling is the largest |dy[b, i] / dx[c, j]| over b != c, or None where the batch
    is too large for the whole Jacobian: then the caller proves independence otherwise.

    Raises:
        NoJacobianError: reverse and forward mode both raise.
    """
    attempts: tuple[
        tuple[AutogradMethod, Callable[[], tuple[Tensor, float | None]]], ...
    ] = (
        ("reverse", lambda: _reverse(f, x, vectorize=x.numel() > FEW)),
        ("reverse-looped", lambda: _reverse(f, x, vectorize=False)),
        ("forward", lambda: (_forward_mode(f, x), None)),
    )
    for method, attempt in attempts:
        try:
            found, coupling = attempt()
        except Exception:  # each way breaks on other layers
            continue
        return found.detach(), coupling, method
    raise NoJacobianError


def log_abs_det(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Return sign and log|det| of each matrix, both `(batch,)`.

    One matrix at a time: batched LU in some builds of torch is silently wrong, or hangs,
    for 150 dims and more once the number of threads was set.
    """
    pairs = [torch.linalg.slogdet(matrix) for matrix in matrices]
    return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs])


def difference_jacobian(f: FlatMap, x: Tensor, step: float = 1e-5) -> Tensor:
    """Return J by central differences, extrapolated from two step sizes (Richardson)."""
    columns = []
    for j in range(x.shape[1]):
        unit = torch.zeros_like(x)
        unit[:, j] = 1.0
        columns.append(directional_difference(f, x, unit, step)[0])
    return torch.stack(columns, dim=2)


def directional_difference(
    f: FlatMap, x: Tensor, direction: Tensor, step: float
) -> tuple[Tensor, Tensor]:
    """Return the derivative along a direction and an estimate of its error.

    Both `(batch, dims_out)`: (4 d(h) - d(2h)) / 3 of central differences d at steps h and
    2h, and |d(h) - d(2h)|. Gradients stay on meanwhile: some maps differentiate inside.
    """

    def slope(h: float) -> Tensor:
        ahead, behind = f(x + h * direction).detach(), f(x - h * direction).detach()
        return (ahead - behind) / (2 * h)

    near, far = slope(step), slope(2 * step)
    return (4 * near - far) / 3, (near - far).abs()


def _reverse(f: FlatMap, x: Tensor, *, vectorize: bool) -> tuple[Tensor, float | None]:
    batch, dims = x.shape
    if batch * dims <= _WHOLE:
        whole = jacobian(f, x, vectorize=vectorize)
        own = torch.stack([whole[b, :, b, :] for b in range(batch)])
        others = whole.clone()
        for b in range(batch):
            others[b, :, b, :] = 0.0
        return own, float(others.abs().max()) if others.numel() else 0.0
    outputs = f(x.detach()).shape[1]
    parts = []
    for first in range(0, outputs, _CHUNK):
        last = min(first + _CHUNK, outputs)
        rows = jacobian(lambda v: f(v)[:, first:last].sum(0), x, vectorize=vectorize)  # noqa: B023  # called at once
        parts.append(rows.transpose(0, 1))
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
