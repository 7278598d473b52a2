"""The ldj as a layer hands it back, brought to one number per sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ldjcheck.measure.guard import LOW_PRECISION

if TYPE_CHECKING:
    from ldjcheck.records import Calls

Reported = tuple[Tensor | None, Tensor | None, str | None]
"""The ldj, `(batch,)`, its parts by dim, and how its form breaks the promise."""


def reported_of(
    raw: Any, start: Tensor | None, x: Tensor, calls: Calls, event_dim: int | None
) -> Reported:
    """Return what the call says about `x`, `(batch, *event)`, in nats.

    `start` is the running total that went in, or None. With an `event_dim` the promise is
    one entry per event of so many trailing axes.
    """
    if raw is None:
        return None, None, None
    batch = len(x)
    ldj = torch.as_tensor(raw, dtype=None if isinstance(raw, Tensor) else x.dtype)
    if ldj.dtype in LOW_PRECISION and x.dtype == torch.float64:
        ldj = ldj.double()
    if start is not None:
        if ldj.shape != start.shape:
            form = (
                f"an incoming ldj of shape {tuple(start.shape)} came back with shape "
                f"{tuple(ldj.shape)}"
            )
            own = _added(ldj, start)
            return None if own is None else calls.sign * own, None, form
        return (calls.sign * (ldj - start)).reshape(batch), None, None
    ldj = calls.sign * ldj
    if event_dim is not None:
        return _per_event(ldj, x, event_dim)
    if ldj.shape == (batch,):
        return ldj, None, None
    if ldj.numel() == 1 and batch > 1:
        return ldj.reshape(1).expand(batch), None, None
    if calls.column and ldj.dim() > 1 and ldj.shape in ((batch, 1), (*x.shape[:-1], 1)):
        return ldj.reshape(batch, -1).sum(1), None, None
    form = f"the ldj has shape {tuple(ldj.shape)}, not ({batch},)"
    if ldj.numel() == batch:
        return ldj.reshape(batch), None, form
    if ldj.dim() and len(ldj) == batch:
        return ldj.reshape(batch, -1).sum(1), None, form
    return None, None, form


def _added(total: Tensor, start: Tensor) -> Tensor | None:
    """Return what was added to a running total of another shape, `(batch,)`.

    A column added to a row makes a square: each sample's own part stands in a row of it,
    beside every total that came in, or in a column.
    """
    batch = start.numel()
    if total.numel() == batch:
        return total.reshape(batch) - start.reshape(batch)
    if total.shape != (batch, batch):
        return None
    for square in (total, total.T):
        own = square - start.reshape(1, batch)
        if torch.allclose(own, own[:, :1].expand_as(own), rtol=1e-6, atol=1e-6):
            return own[:, 0]
    return None


def _per_event(ldj: Tensor, x: Tensor, event_dim: int) -> Reported:
    """Sum a transform's ldj, one entry per event, over the rest of the sample."""
    promised = x.shape[: max(1, x.dim() - event_dim)]
    try:
        spread = ldj.expand(promised)
    except RuntimeError:
        form = (
            f"the ldj has shape {tuple(ldj.shape)}, which does not fit one entry per "
            f"event, {tuple(promised)}"
        )
        if ldj.shape[: len(promised)] == promised:  # entries of one event are left
            return ldj.reshape(len(x), -1).sum(1), None, form
        return None, None, form
    per_sample = spread.reshape(len(x), -1)
    shares = per_sample if event_dim == 0 else None
    return per_sample.sum(1), shares, None
